import { element } from "./html";
import { fill } from "./i18n";
import type { Strings } from "./i18n/strings";
import type { SaveState } from "./transport/outbox";

/** Saving that is over within this time is not worth a word. */
const QUIET_MS = 1_000;
/** A passing word is there for so long. */
const PASSING_MS = 2_500;

/** What stays around the stage: progress, the state of saving, notices, and a voice for screen readers. */
export class Shell {
  readonly stage = element("main", { class: "stage" });
  readonly #progressFill = element("div", { class: "progress-fill" });
  readonly #progressText = element("span", { class: "progress-text" });
  readonly #progress = element("div", { class: "progress", role: "progressbar", "aria-valuemin": "0" });
  readonly #saving = element("p", { class: "saving", role: "status" });
  readonly #pause = element("button", { type: "button", class: "bar-button" });
  readonly #help = element("button", { type: "button", class: "bar-button" });
  readonly #passing = element("p", { class: "passing", "aria-hidden": "true" });
  readonly #bar: HTMLElement;
  readonly #notice = element("div", { class: "notice", role: "alert" });
  readonly #voice = element("div", { class: "visually-hidden", "aria-live": "polite" });
  #previewNote: HTMLElement | null = null;
  #latest: SaveState = { waiting: 0, waitingSince: null, isTroubled: false, refusal: null };
  #passingTimer: ReturnType<typeof setTimeout> | undefined;
  #onPause: (() => void) | null = null;
  #quiet: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly app: HTMLElement,
    private readonly strings: Strings,
  ) {
    this.#progress.setAttribute("aria-label", strings.progress);
    this.#progress.append(element("div", { class: "progress-track" }, this.#progressFill));
    this.#pause.textContent = strings.pause;
    this.#pause.addEventListener("click", () => this.#onPause?.());
    this.#help.textContent = strings.help;
    this.#help.hidden = true;
    this.showPause(null);
    this.#bar = element("header", { class: "bar" });
    this.#bar.append(
      this.#progress,
      this.#progressText,
      this.#pause,
      this.#help,
      this.#saving,
      this.#passing,
    );
    this.#progress.hidden = true;
    this.#notice.hidden = true;
    this.restoreStage();
  }

  showProgress(done: number, total: number): void {
    const words = fill(this.strings.progressOf, { n: done, total });
    this.#progress.hidden = false;
    this.#progress.setAttribute("aria-valuemax", String(total));
    this.#progress.setAttribute("aria-valuenow", String(done));
    this.#progress.setAttribute("aria-valuetext", words);
    this.#progressFill.style.inlineSize = `${total === 0 ? 0 : (100 * done) / total}%`;
    this.#progressText.textContent = words;
  }

  hideProgress(): void {
    this.#progress.hidden = true;
    this.#progressText.textContent = "";
  }

  /** Says so when an entry waits for longer than a moment. */
  showSaving(state: SaveState): void {
    this.#latest = state;
    if (this.#quiet) clearTimeout(this.#quiet);
    this.#quiet = null;
    if (state.waitingSince === null) {
      this.#saving.textContent = "";
      return;
    }
    const left = state.waitingSince + QUIET_MS - performance.now();
    if (left <= 0 || state.isTroubled) this.#sayWaiting(state);
    else {
      this.#saving.textContent = "";
      this.#quiet = setTimeout(() => this.showSaving(this.#latest), left);
    }
  }

  /** While a trial can be left: `onPause` leaves it. */
  showPause(onPause: (() => void) | null): void {
    this.#onPause = onPause;
    this.#pause.hidden = onPause === null;
  }

  showHelp(isThere: boolean): void {
    this.#help.hidden = !isThere;
  }

  /** Nobody reads help while a trial runs: that is left first. */
  onHelp(open: () => void): void {
    this.#help.addEventListener("click", () => {
      this.#onPause?.();
      open();
    });
  }

  /** A word for the eye that goes by itself; screen readers hear it by `announce`. */
  showPassing(text: string): void {
    clearTimeout(this.#passingTimer);
    this.#passing.textContent = text;
    this.#passingTimer = setTimeout(() => {
      this.#passing.textContent = "";
    }, PASSING_MS);
  }

  /** Speaks to screen readers. */
  announce(text: string): void {
    this.#voice.textContent = text;
  }

  /** A notice above the stage that stays until it is replaced or cleared. */
  showNotice(...content: (Node | string)[]): void {
    this.#notice.replaceChildren(...content);
    this.#notice.hidden = content.length === 0;
  }

  /** Says that nothing counts, for as long as the page is open. */
  showPreviewNote(): void {
    this.#previewNote = element("aside", { class: "preview-note" }, this.strings.previewNote);
    this.app.before(this.#previewNote);
  }

  /** What stays above the page however it is scrolled, in CSS pixels. */
  get heightAbove(): number {
    return this.#previewNote?.offsetHeight ?? 0;
  }

  /** Takes the stage off the page, which ends its keys and clicks, and says why. */
  replaceStage(title: string, text: string | HTMLElement, ...more: Node[]): void {
    const heading = element("h1", { tabindex: "-1" }, title);
    const words = typeof text === "string" ? element("p", {}, text) : text;
    const page = element("div", { class: "iri-page" }, heading, words, ...more);
    this.app.replaceChildren(this.#notice, element("main", { class: "stage" }, page));
    (page.querySelector<HTMLElement>("button.is-main") ?? heading).focus();
  }

  /** Takes back what `replaceStage` did. */
  restoreStage(): void {
    this.app.replaceChildren(this.#bar, this.#notice, this.stage, this.#voice);
  }

  #sayWaiting(state: SaveState): void {
    const words = state.isTroubled ? this.strings.savingTrouble : this.strings.saving;
    this.#saving.textContent = fill(words, { n: state.waiting });
  }
}
