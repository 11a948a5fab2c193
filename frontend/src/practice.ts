import type { Presentation } from "./api";

export type Standing = "open" | "passed" | "failed";

/**
 * How the practice stands: a round is passed with `passMark` right answers, and once every round is over and none
 * was passed, practice is failed. A study without practice is passed.
 */
export class Practice {
  readonly #rounds = new Map<number, string[]>();
  /** Null: answered, but the server's verdict never came. */
  readonly #verdicts = new Map<string, boolean | null>();

  constructor(
    presentations: readonly Presentation[],
    readonly passMark: number,
  ) {
    for (const { id, block, feedback, correct } of presentations) {
      if (!feedback) continue;
      this.#rounds.set(block, [...(this.#rounds.get(block) ?? []), id]);
      if (correct !== null) this.#verdicts.set(id, correct);
    }
  }

  record(id: string, correct: boolean | null): void {
    this.#verdicts.set(id, correct);
  }

  get standing(): Standing {
    const rounds = [...this.#rounds.keys()];
    if (rounds.length === 0 || rounds.some((round) => this.#isPassed(round))) return "passed";
    return rounds.every((round) => this.isOver(round)) ? "failed" : "open";
  }

  /** Whether the presentation is still to be asked: rounds after the one that was passed are not. */
  isNeeded({ feedback }: Presentation): boolean {
    return !feedback || this.standing !== "passed";
  }

  isOver(round: number): boolean {
    return (this.#rounds.get(round) ?? []).every((id) => this.#verdicts.has(id));
  }

  #isPassed(round: number): boolean {
    const right = (this.#rounds.get(round) ?? []).filter((id) => this.#verdicts.get(id) === true);
    return this.isOver(round) && right.length >= this.passMark;
  }
}
