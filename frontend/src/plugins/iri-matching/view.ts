import { element, imageFrame, placeImage, trialRoot } from "../../trial/elements";
import { inputOf } from "../../trial/input";
import type { Matching } from "../../trial/matching";
import type { Input } from "../../trial/parameters";
import type { Staged } from "../../trial/sequence";
import "../../trial/style.css";
import "./style.css";
import type { MatchingTrial } from "./index";

/** A pointer that moves less than this, in CSS pixels, has clicked. */
const DRAG_PX = 8;

/** Where somebody's next choice goes: the reference or option picked up, if any. */
type Picked = { kind: "reference" | "option"; place: number } | null;

/** The trial's elements: two rows of images that are buttons, each with a tag that says what it is matched with. */
export class MatchingView implements Staged {
  readonly root: HTMLElement;
  /** How many matches were made, changes included. */
  nMatches = 0;
  /** What the last match was made with. */
  lastInput: Input = "key";
  readonly #references: HTMLButtonElement[];
  readonly #options: HTMLButtonElement[];
  readonly #confirm: HTMLButtonElement;
  #picked: Picked = null;
  #active = 0;

  constructor(
    display: HTMLElement,
    private readonly trial: MatchingTrial,
  ) {
    this.root = trialRoot("matching", trial, trial.loading_text);
    if (trial.image_size !== null) this.root.style.setProperty("--iri-image-size", `${trial.image_size}px`);
    this.#references = trial.references.map(() => imageButton());
    this.#options = trial.options.map(() => imageButton());
    this.#confirm = element("button", "iri-matching-confirm", trial.confirm_label);
    this.#confirm.type = "button";
    this.root.append(
      row("iri-matching-references", this.#references),
      row("iri-matching-options", this.#options),
      this.#confirm,
    );
    if (trial.hint) this.root.append(element("p", "iri-trial-hint", trial.hint));
    display.replaceChildren(this.root);
    this.root.focus({ preventScroll: true });
  }

  place(images: readonly HTMLImageElement[]): void {
    for (const [place, button] of this.#buttons.entries()) {
      const image = images[place];
      if (image) placeImage(button.firstElementChild as HTMLElement, image);
    }
  }

  enable(): void {
    for (const button of this.#buttons) button.setAttribute("aria-disabled", "false");
  }

  close(): void {
    for (const button of [...this.#buttons, this.#confirm]) button.setAttribute("aria-disabled", "true");
  }

  /** Says in words, letters and numbers what is matched with what. */
  show(matching: Matching): void {
    for (const [place, button] of this.#references.entries()) {
      const option = matching.options[place] ?? null;
      const name = this.trial.reference_label.replace("{letter}", letter(place));
      this.#describe(button, letter(place), name, option === null ? null : String(option + 1));
      button.classList.toggle("is-active", place === this.#active);
      button.setAttribute("aria-pressed", String(this.#isPicked("reference", place)));
    }
    for (const [place, button] of this.#options.entries()) {
      const holder = matching.holder(place);
      const name = this.trial.option_label.replace("{n}", String(place + 1));
      this.#describe(button, String(place + 1), name, holder === null ? null : letter(holder));
      button.setAttribute("aria-pressed", String(this.#isPicked("option", place)));
    }
    this.#confirm.setAttribute("aria-disabled", String(!matching.isComplete));
  }

  /** Takes clicks, drags and the confirmation. */
  listen(matching: Matching, signal: AbortSignal, onConfirm: (event: MouseEvent) => void): void {
    for (const [kind, buttons] of [
      ["reference", this.#references],
      ["option", this.#options],
    ] as const) {
      for (const [place, button] of buttons.entries()) {
        button.addEventListener("click", (event) => this.#pick(matching, kind, place, inputOf(event)), {
          signal,
        });
        button.addEventListener("pointerdown", (event) => this.#drag(matching, kind, place, button, event), {
          signal,
        });
      }
    }
    this.#confirm.addEventListener(
      "click",
      (event) => {
        if (matching.isComplete) onConfirm(event);
      },
      { signal },
    );
  }

  /** Gives the option to the reference whose turn it is, and goes on to the next one without. */
  matchActive(matching: Matching, option: number): void {
    this.#match(matching, this.#active, option, "key");
    if (matching.isComplete) this.#confirm.focus({ preventScroll: true });
  }

  clearActive(matching: Matching): void {
    matching.clear(this.#active);
    this.show(matching);
  }

  moveActive(matching: Matching, step: number): void {
    this.#active = (this.#active + step + matching.size) % matching.size;
    this.show(matching);
  }

  /** The first click picks an image up, the second matches it; on another of its row it changes the pick. */
  #pick(matching: Matching, kind: "reference" | "option", place: number, input: Input): void {
    const picked = this.#picked;
    if (kind === "reference") this.#active = place;
    if (picked === null || picked.kind === kind) {
      this.#picked = this.#isPicked(kind, place) ? null : { kind, place };
      this.show(matching);
      return;
    }
    this.#match(
      matching,
      kind === "reference" ? place : picked.place,
      kind === "option" ? place : picked.place,
      input,
    );
  }

  #match(matching: Matching, reference: number, option: number, input: Input): void {
    matching.match(reference, option);
    this.nMatches += 1;
    this.lastInput = input;
    this.#picked = null;
    this.#active = matching.nextOpen(reference);
    this.show(matching);
  }

  /** Follows the pointer with a copy of the image until it is let go over a partner. */
  #drag(
    matching: Matching,
    kind: "reference" | "option",
    place: number,
    button: HTMLElement,
    start: PointerEvent,
  ): void {
    if (!start.isPrimary || start.button !== 0) return;
    const over = new AbortController();
    let ghost: HTMLElement | null = null;
    const move = (event: PointerEvent): void => {
      const [x, y] = [event.clientX - start.clientX, event.clientY - start.clientY];
      if (ghost === null && Math.hypot(x, y) < DRAG_PX) return;
      ghost ??= this.#lift(button);
      ghost.style.translate = `${x}px ${y}px`;
    };
    const end = (event: PointerEvent): void => {
      over.abort();
      if (ghost === null) return; // a click, which comes as one
      ghost.remove();
      const partner = this.#partnerAt(kind, event);
      if (event.type === "pointerup" && partner !== null) {
        const [reference, option] = kind === "reference" ? [place, partner] : [partner, place];
        this.#match(matching, reference, option, event.pointerType === "mouse" ? "mouse" : "touch");
      }
      swallowClick(button);
    };
    const { signal } = over;
    button.setPointerCapture?.(start.pointerId);
    button.addEventListener("pointermove", move, { signal });
    button.addEventListener("pointerup", end, { signal });
    button.addEventListener("pointercancel", end, { signal });
  }

  #lift(button: HTMLElement): HTMLElement {
    const image = button.querySelector("img");
    const ghost = element("div", "iri-matching-ghost");
    const box = button.getBoundingClientRect();
    ghost.style.setProperty("--x", `${box.left}px`);
    ghost.style.setProperty("--y", `${box.top}px`);
    if (image) ghost.append(image.cloneNode());
    this.root.append(ghost);
    return ghost;
  }

  #partnerAt(kind: "reference" | "option", event: PointerEvent): number | null {
    const partners = kind === "reference" ? this.#options : this.#references;
    const place = partners.findIndex((button) => {
      const box = button.getBoundingClientRect();
      const isBeside = event.clientX >= box.left && event.clientX <= box.right;
      return isBeside && event.clientY >= box.top && event.clientY <= box.bottom;
    });
    return place < 0 ? null : place;
  }

  #describe(button: HTMLButtonElement, mark: string, name: string, match: string | null): void {
    const tag = button.lastElementChild as HTMLElement;
    tag.textContent = mark;
    // Painted by the style sheet: the button's text is part of its name, as the name says it.
    if (match === null) delete tag.dataset.match;
    else tag.dataset.match = match;
    button.classList.toggle("is-matched", match !== null);
    const words = this.trial.matched_label.replace("{name}", name).replace("{match}", match ?? "");
    button.setAttribute("aria-label", match === null ? name : words);
  }

  #isPicked(kind: "reference" | "option", place: number): boolean {
    return this.#picked?.kind === kind && this.#picked.place === place;
  }

  get #buttons(): HTMLButtonElement[] {
    return [...this.#references, ...this.#options];
  }
}

function imageButton(): HTMLButtonElement {
  const button = element("button", "iri-trial-option");
  button.type = "button";
  button.setAttribute("aria-disabled", "true");
  button.append(imageFrame(), element("span", "iri-trial-caption"));
  return button;
}

function row(className: string, buttons: readonly HTMLButtonElement[]): HTMLElement {
  const made = element("div", `iri-trial-options ${className}`);
  made.dir = "ltr";
  made.append(...buttons);
  return made;
}

/** The click that a browser makes of the end of a drag is not one. */
function swallowClick(button: HTMLElement): void {
  const soon = new AbortController();
  button.addEventListener("click", (click) => click.stopImmediatePropagation(), {
    capture: true,
    signal: soon.signal,
  });
  setTimeout(() => soon.abort());
}

/** A, B, C, ... */
function letter(place: number): string {
  return String.fromCharCode(65 + place);
}
