/**
 * Which reference has which option: each option goes to one reference at most, and all can be changed.
 * A reference without an option is null.
 */
export class Matching {
  readonly #options: (number | null)[];

  constructor(readonly size: number) {
    this.#options = Array.from({ length: size }, () => null);
  }

  get options(): readonly (number | null)[] {
    return this.#options;
  }

  get isComplete(): boolean {
    return this.#options.every((option) => option !== null);
  }

  /** The reference that has the option; null if none has. */
  holder(option: number): number | null {
    const place = this.#options.indexOf(option);
    return place < 0 ? null : place;
  }

  /** Gives the option to the reference; whoever had it gets what the reference had before. */
  match(reference: number, option: number): void {
    const holder = this.holder(option);
    const before = this.#options[reference] ?? null;
    if (holder !== null && holder !== reference) this.#options[holder] = before;
    this.#options[reference] = option;
  }

  clear(reference: number): void {
    this.#options[reference] = null;
  }

  /** The first reference without an option after this one, going round; this one if there is none. */
  nextOpen(reference: number): number {
    for (let step = 1; step <= this.size; step += 1) {
      const place = (reference + step) % this.size;
      if (this.#options[place] === null) return place;
    }
    return reference;
  }
}
