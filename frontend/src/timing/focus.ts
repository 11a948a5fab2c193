/** Counts how often the page lost the person's focus: the window blurred, or the tab was hidden. */
export class FocusMeter {
  #away = false;
  #lost = 0;
  #isLive: () => boolean = () => true;

  readonly #check = (): void => {
    if (!this.#isLive()) {
      this.stop();
      return;
    }
    const away = document.hidden || !document.hasFocus();
    if (away && !this.#away) this.#lost += 1;
    this.#away = away;
  };

  /** `isLive`: whether there is still something to measure. */
  start(isLive: () => boolean = () => true): void {
    this.#isLive = isLive;
    this.#away = document.hidden || !document.hasFocus();
    for (const [target, type] of this.#events()) target.addEventListener(type, this.#check);
  }

  stop(): void {
    for (const [target, type] of this.#events()) target.removeEventListener(type, this.#check);
  }

  /** Hiding a tab blurs its window, too: that is one loss, not two. */
  get lost(): number {
    return this.#lost;
  }

  #events(): [EventTarget, string][] {
    return [
      [window, "blur"],
      [window, "focus"],
      [document, "visibilitychange"],
    ];
  }
}
