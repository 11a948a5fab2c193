import type { JsPsych } from "jspsych";
import { askConfidence, type Confidence } from "./confidence";
import { element, imageFrame, placeImage, trialRoot } from "./elements";
import { inputOf, onKey, onlyFreshKeys } from "./input";
import { noiseMask } from "./mask";
import { type Answer, measured } from "./meters";
import type { CommonRow, CommonTrial, ReferenceFirst } from "./parameters";
import { hideAfter, reveal, type Staged } from "./sequence";
import "./style.css";

/** One thing to choose: an image, a label, or a label with an icon. */
export interface ChoiceOption {
  image: string | null;
  /** Shown beside or under the image; empty for none. */
  label: string;
  /** For screen readers. */
  name: string;
  /** A line under it, such as its key; empty for none. */
  caption: string;
  keys: readonly string[];
}

/** A trial that ends with the choice of one option. */
export interface ChoiceTrial extends CommonTrial, ReferenceFirst {
  format: string;
  /** The image above, if there is one. */
  reference: { url: string; name: string } | null;
  options: readonly ChoiceOption[];
}

export interface ChoiceRow extends CommonRow {
  /** Place of the chosen option, from 0; null if there was no answer. */
  response: number | null;
}

/** Shows the trial and takes the first answer after onset by key, mouse or touch. */
export async function runChoice(
  jsPsych: JsPsych,
  display: HTMLElement,
  trial: ChoiceTrial,
  onLoad: () => void,
): Promise<ChoiceRow> {
  const view = new ChoiceView(display, trial);
  const { result, row } = await measured(view.root, trial.image_size, async () => {
    const onset = await reveal(jsPsych, view, trial, addresses(trial));
    onLoad();
    const answer = await takeAnswer(jsPsych, view, trial, onset);
    const confidence: Confidence = answer
      ? await askConfidence(view.root, trial)
      : { confidence: null, confidence_rt: null };
    return { onset, answer, ...confidence };
  });
  return { response: result.answer?.choice ?? null, ...row };
}

function addresses(trial: ChoiceTrial): string[] {
  const options = trial.options.flatMap((option) => (option.image === null ? [] : [option.image]));
  return trial.reference ? [trial.reference.url, ...options] : options;
}

/** The first answer after onset; null when the time limit came first. */
function takeAnswer(
  jsPsych: JsPsych,
  view: ChoiceView,
  trial: ChoiceTrial,
  onset: number,
): Promise<Answer<number> | null> {
  const listening = new AbortController();
  return new Promise((resolve) => {
    const limit = trial.time_limit ?? Number.POSITIVE_INFINITY;
    const finish = (given: Answer<number> | null): void => {
      const answer = given && given.at - onset <= limit ? given : null; // the timer may be late
      listening.abort();
      view.close(answer?.choice ?? null);
      resolve(answer);
    };
    view.onClick(listening.signal, (choice, event) => {
      const input = inputOf(event);
      if (event.timeStamp <= onset) return;
      if (input !== "key" && event.timeStamp - onset < trial.pointer_guard) return;
      finish({ choice, at: event.timeStamp, input });
    });
    if (trial.keyboard_shortcuts) {
      const keys = trial.options.map((option) => option.keys);
      onKey(keys, view.root, listening.signal, (choice, event) => {
        if (event.timeStamp > onset) finish({ choice, at: event.timeStamp, input: "key" });
      });
    }
    const timeout = jsPsych.pluginAPI.setTimeout;
    if (trial.time_limit !== null) timeout(() => finish(null), trial.time_limit);
    if (trial.image_frames !== null) void hideAfter(view.root, trial.image_frames, listening.signal);
    timeout(() => view.enable(), trial.pointer_guard);
  });
}

class ChoiceView implements Staged {
  readonly root: HTMLElement;
  readonly #buttons: HTMLButtonElement[];
  readonly #frames: HTMLElement[] = [];

  constructor(display: HTMLElement, trial: ChoiceTrial) {
    this.root = trialRoot(trial.format, trial, trial.loading_text);
    if (trial.image_size !== null) this.root.style.setProperty("--iri-image-size", `${trial.image_size}px`);
    if (trial.reference_duration !== null) this.root.dataset.referenceFirst = "";
    if (trial.reference) this.root.append(this.#reference(trial, trial.reference.name));
    this.#buttons = trial.options.map((option) => this.#option(option, trial.keyboard_shortcuts));
    const options = element("div", "iri-trial-options");
    options.dir = "ltr"; // left stays left in right-to-left languages
    options.append(...this.#buttons);
    this.root.append(options);
    if (trial.hint) this.root.append(element("p", "iri-trial-hint", trial.hint));
    display.replaceChildren(this.root);
    this.root.focus({ preventScroll: true });
  }

  place(images: readonly HTMLImageElement[]): void {
    for (const [place, frame] of this.#frames.entries()) {
      const image = images[place];
      if (image) placeImage(frame, image);
    }
  }

  enable(): void {
    for (const button of this.#buttons) button.setAttribute("aria-disabled", "false");
  }

  close(chosen: number | null): void {
    for (const [place, button] of this.#buttons.entries()) {
      button.setAttribute("aria-disabled", "true");
      button.classList.toggle("is-chosen", place === chosen);
    }
  }

  onClick(signal: AbortSignal, take: (place: number, event: MouseEvent) => void): void {
    for (const [place, button] of this.#buttons.entries()) {
      button.addEventListener("click", (event) => take(place, event), { signal });
      onlyFreshKeys(button, signal);
    }
  }

  #reference(trial: ReferenceFirst, name: string): HTMLElement {
    const reference = element("div", "iri-trial-reference");
    reference.setAttribute("role", "img");
    reference.setAttribute("aria-label", name);
    const frame = imageFrame();
    if (trial.reference_duration !== null && trial.mask_duration > 0) frame.append(noiseMask());
    this.#frames.push(frame);
    reference.append(frame);
    return reference;
  }

  #option(option: ChoiceOption, hasShortcuts: boolean): HTMLButtonElement {
    const button = element("button", "iri-trial-option");
    button.type = "button";
    // A label names its button together with its key, as both are seen: who speaks says what stands there.
    if (!option.label) button.setAttribute("aria-label", option.name);
    button.setAttribute("aria-disabled", "true");
    if (hasShortcuts && option.keys.length > 0)
      button.setAttribute("aria-keyshortcuts", option.keys.join(" "));
    if (option.image !== null) {
      const frame = option.label ? element("span", "iri-trial-icon") : imageFrame();
      this.#frames.push(frame);
      button.append(frame);
    }
    if (option.label) {
      const label = element("span", "iri-trial-label", option.label);
      label.dir = "auto";
      button.append(label);
    }
    if (option.caption) button.append(element("span", "iri-trial-caption", option.caption));
    return button;
  }
}
