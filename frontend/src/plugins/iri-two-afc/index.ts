import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../../package.json";
import { FocusMeter } from "../../timing/focus";
import { FrameMeter, nextFrame } from "../../timing/frames";
import { loadImagePersistently } from "./load-image";
import "./style.css";

const info = <const>{
  name: "iri-two-afc",
  version: version,
  parameters: {
    /** Address of the image asked about, shown above. */
    reference: {
      type: ParameterType.IMAGE,
      default: undefined,
    },
    /** Addresses of the two images to choose from, left then right (also in right-to-left languages). */
    options: {
      type: ParameterType.IMAGE,
      array: true,
      default: undefined,
    },
    /** The question, as plain text. */
    prompt: {
      type: ParameterType.STRING,
      default: "Which of the two images below looks more like this one?",
    },
    /** Name of the reference for screen readers. */
    reference_label: {
      type: ParameterType.STRING,
      default: "Image to compare",
    },
    /** Names of the two options for screen readers. */
    option_labels: {
      type: ParameterType.STRING,
      array: true,
      default: ["Left image", "Right image"],
    },
    /** Captions under the two options, as plain text; an empty list shows none. */
    captions: {
      type: ParameterType.STRING,
      array: true,
      default: [],
    },
    /** A line under the images, such as which keys can be used; empty for none. */
    hint: {
      type: ParameterType.STRING,
      default: "",
    },
    /** Shown in place of the images for as long as they load. */
    loading_text: {
      type: ParameterType.STRING,
      default: "Loading images…",
    },
    /** Edge of every image in CSS pixels, or a function that gives it; null for the images' own size. */
    image_size: {
      type: ParameterType.FLOAT,
      default: null,
    },
    /** Keys (KeyboardEvent.key, case ignored) that choose the left and the right option. */
    option_keys: {
      type: ParameterType.KEYS,
      array: true,
      default: [
        ["ArrowLeft", "f", "1"],
        ["ArrowRight", "j", "2"],
      ],
    },
    /** Whether `option_keys` work. Tab with Enter or Space always does. */
    keyboard_shortcuts: {
      type: ParameterType.BOOL,
      default: true,
    },
    /** How long a fixation cross is shown before the images, in ms; 0 for none. */
    fixation_duration: {
      type: ParameterType.INT,
      default: 0,
    },
    /** How long the images stay visible after onset, in ms; null until the answer. */
    image_duration: {
      type: ParameterType.INT,
      default: null,
    },
    /** The trial ends without an answer this long after onset, in ms; null for no limit. */
    time_limit: {
      type: ParameterType.INT,
      default: null,
    },
    /**
     * Clicks and taps earlier than this after onset are ignored, in ms: nobody sees and chooses so fast,
     * but the second half of a double click on the trial before arrives then.
     */
    pointer_guard: {
      type: ParameterType.INT,
      default: 200,
    },
    /** Gives a decoded image for an address, e.g. from a preloader; null: the plugin loads it, retrying. */
    load_image: {
      type: ParameterType.FUNCTION,
      default: null,
    },
  },
  data: {
    /** Place of the chosen option: 0 left, 1 right; null if there was no answer. */
    response: {
      type: ParameterType.INT,
    },
    /** Answer minus onset, in ms, rounded; null if there was no answer. */
    rt: {
      type: ParameterType.INT,
    },
    /** Answer minus onset as measured, in ms: the event's own timestamp minus `onset_frame_ms`. */
    rt_raw_ms: {
      type: ParameterType.FLOAT,
    },
    /** Address of the reference. */
    stimulus: {
      type: ParameterType.STRING,
    },
    /** Addresses of the options, left then right. */
    options: {
      type: ParameterType.STRING,
      array: true,
    },
    /** Whether the time limit ended the trial. */
    timed_out: {
      type: ParameterType.BOOL,
    },
    /** What the answer was given with: "key", "mouse" or "touch" (a pen counts as touch); null if none. */
    input: {
      type: ParameterType.STRING,
    },
    /**
     * Onset: timestamp (ms since the page's time origin) of the first animation frame after the one that
     * made the images visible.
     */
    onset_frame_ms: {
      type: ParameterType.FLOAT,
    },
    /** Refresh rate estimated from this trial's frames, in Hz; null if it was too short for that. */
    refresh_hz: {
      type: ParameterType.FLOAT,
    },
    /** Animation frames missed during the trial. */
    frames_dropped: {
      type: ParameterType.INT,
    },
    /** How often the window lost focus or was hidden during the trial. */
    focus_lost: {
      type: ParameterType.INT,
    },
    /** Edge of the images as shown, in CSS pixels; null for their own size. */
    image_size: {
      type: ParameterType.FLOAT,
    },
  },
};

type Info = typeof info;
type Input = "key" | "mouse" | "touch";

/** A trial's parameters with their defaults filled in, as jsPsych hands them over; `info` documents each. */
interface Parameters {
  reference: string;
  options: string[];
  prompt: string;
  reference_label: string;
  option_labels: string[];
  captions: string[];
  hint: string;
  loading_text: string;
  image_size: number | null;
  option_keys: string[][];
  keyboard_shortcuts: boolean;
  fixation_duration: number;
  image_duration: number | null;
  time_limit: number | null;
  pointer_guard: number;
  load_image: ((url: string) => Promise<HTMLImageElement>) | null;
}

/** What one trial records; `info.data` documents each. */
export interface TwoAfcData {
  response: number | null;
  rt: number | null;
  rt_raw_ms: number | null;
  stimulus: string;
  options: string[];
  timed_out: boolean;
  input: Input | null;
  onset_frame_ms: number;
  refresh_hz: number | null;
  frames_dropped: number;
  focus_lost: number;
  image_size: number | null;
}

interface Answer {
  option: number;
  /** The event's own timestamp, ms since the page's time origin. */
  at: number;
  input: Input;
}

/**
 * **iri-two-afc**: one image above, two below; which of the two looks more like it?
 *
 * Answers by key, mouse or touch are taken in the same trial, once, and only after the images were painted.
 */
class IriTwoAfcPlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  trial(display: HTMLElement, trial: TrialType<Info>, onLoad: () => void): Promise<TwoAfcData> {
    return this.#run(display, checked(trial), onLoad);
  }

  async #run(display: HTMLElement, trial: Parameters, onLoad: () => void): Promise<TwoAfcData> {
    const view = new TrialView(display, trial);
    const frames = new FrameMeter();
    const focus = new FocusMeter();
    frames.start();
    focus.start();
    try {
      const load = trial.load_image ?? loadImagePersistently;
      const [images] = await Promise.all([
        Promise.all([trial.reference, ...trial.options].map((url) => load(url))),
        this.#fixation(trial),
      ]);
      view.place(images);
      await nextFrame();
      view.reveal();
      const onset = await nextFrame();
      onLoad();
      const answer = await this.#answer(view, trial, onset);
      return {
        response: answer?.option ?? null,
        rt: answer ? Math.round(answer.at - onset) : null,
        rt_raw_ms: answer ? answer.at - onset : null,
        stimulus: trial.reference,
        options: [...trial.options],
        timed_out: answer === null,
        input: answer?.input ?? null,
        onset_frame_ms: onset,
        refresh_hz: frames.refreshHz,
        frames_dropped: frames.dropped,
        focus_lost: focus.lost,
        image_size: trial.image_size,
      };
    } finally {
      frames.stop();
      focus.stop();
    }
  }

  /** Answers at random ("data-only": at once, without showing anything; "visual": with a real key or click). */
  async simulate(
    given: TrialType<Info>,
    mode: "data-only" | "visual",
    options: { data?: Partial<TwoAfcData> },
    onLoad: () => void,
  ): Promise<TwoAfcData> {
    const trial = checked(given);
    const data = this.#simulatedData(trial, options);
    if (mode === "data-only") {
      onLoad();
      return data;
    }
    return this.#run(this.jsPsych.getDisplayElement(), trial, () => {
      onLoad();
      if (data.response === null || data.rt === null) return;
      const key = trial.option_keys[data.response]?.[0];
      const button = this.jsPsych.getDisplayElement().querySelectorAll("button")[data.response];
      if (trial.keyboard_shortcuts && key) this.jsPsych.pluginAPI.pressKey(key, data.rt);
      else if (button)
        this.jsPsych.pluginAPI.clickTarget(button, Math.max(data.rt, trial.pointer_guard + 50));
    });
  }

  #simulatedData(trial: Parameters, options: { data?: Partial<TwoAfcData> }): TwoAfcData {
    const random = this.jsPsych.randomization;
    const rt = random.sampleExGaussian(600, 100, 1 / 200, true);
    const data: TwoAfcData = this.jsPsych.pluginAPI.mergeSimulationData(
      {
        response: random.randomInt(0, 1),
        rt: Math.round(rt),
        rt_raw_ms: rt,
        stimulus: trial.reference,
        options: [...trial.options],
        timed_out: false,
        input: trial.keyboard_shortcuts ? "key" : "mouse",
        onset_frame_ms: performance.now(),
        refresh_hz: 60,
        frames_dropped: 0,
        focus_lost: 0,
        image_size: trial.image_size,
      },
      options,
    );
    const limit = trial.time_limit;
    if (limit === null || (data.rt !== null && data.rt <= limit)) return data;
    return { ...data, response: null, rt: null, rt_raw_ms: null, timed_out: true, input: null };
  }

  async #fixation(trial: Parameters): Promise<void> {
    if (trial.fixation_duration <= 0) return;
    await new Promise((resolve) => {
      this.jsPsych.pluginAPI.setTimeout(() => resolve(undefined), trial.fixation_duration);
    });
  }

  /** The first answer after onset; null when the time limit came first. */
  #answer(view: TrialView, trial: Parameters, onset: number): Promise<Answer | null> {
    const listening = new AbortController();
    return new Promise<Answer | null>((resolve) => {
      const finish = (answer: Answer | null): void => {
        listening.abort();
        view.close(answer?.option ?? null);
        resolve(answer);
      };
      view.onClick(listening.signal, (option, event) => {
        const input = inputOf(event);
        if (input !== "key" && event.timeStamp - onset < trial.pointer_guard) return;
        finish({ option, at: event.timeStamp, input });
      });
      if (trial.keyboard_shortcuts) {
        onOptionKey(trial.option_keys, view, listening.signal, (option, event) => {
          if (event.timeStamp >= onset) finish({ option, at: event.timeStamp, input: "key" });
        });
      }
      const timeout = this.jsPsych.pluginAPI.setTimeout;
      if (trial.time_limit !== null) timeout(() => finish(null), trial.time_limit);
      if (trial.image_duration !== null) timeout(() => view.hideImages(), trial.image_duration);
      timeout(() => view.enable(), trial.pointer_guard);
    });
  }
}

/** The trial's elements. Built without markup strings or style attributes, so that a strict CSP holds. */
class TrialView {
  readonly root = document.createElement("div");
  readonly #reference = document.createElement("div");
  readonly #buttons: HTMLButtonElement[];
  readonly #frames: HTMLElement[];

  constructor(display: HTMLElement, trial: Parameters) {
    this.root.className = "iri-two-afc";
    this.root.dataset.phase = trial.fixation_duration > 0 ? "fixation" : "loading";
    if (trial.image_size !== null) this.root.style.setProperty("--iri-image-size", `${trial.image_size}px`);
    const prompt = element("p", "iri-two-afc-prompt", trial.prompt);
    prompt.id = "iri-two-afc-prompt";
    this.#reference.className = "iri-two-afc-image iri-two-afc-reference";
    this.#reference.setAttribute("role", "img");
    this.#reference.setAttribute("aria-label", trial.reference_label);
    this.#buttons = [0, 1].map((option) => optionButton(trial, option));
    this.#frames = [
      this.#reference,
      ...this.#buttons.map((button) => button.firstElementChild as HTMLElement),
    ];
    const options = element("div", "iri-two-afc-options");
    options.setAttribute("role", "group");
    options.setAttribute("aria-labelledby", prompt.id);
    options.dir = "ltr";
    options.append(...this.#buttons);
    const waiting = element("p", "iri-two-afc-loading", trial.loading_text);
    const cross = element("div", "iri-two-afc-fixation", "+");
    cross.setAttribute("aria-hidden", "true");
    this.root.append(prompt, this.#reference, options, waiting, cross);
    if (trial.hint) this.root.append(element("p", "iri-two-afc-hint", trial.hint));
    display.replaceChildren(this.root);
  }

  place(images: readonly HTMLImageElement[]): void {
    for (const [place, frame] of this.#frames.entries()) {
      const image = images[place];
      if (!image) continue;
      image.alt = "";
      image.draggable = false;
      frame.replaceChildren(image);
    }
  }

  reveal(): void {
    this.root.dataset.phase = "shown";
  }

  hideImages(): void {
    this.root.dataset.phase = "masked";
  }

  enable(): void {
    for (const button of this.#buttons) button.setAttribute("aria-disabled", "false");
  }

  close(chosen: number | null): void {
    for (const [option, button] of this.#buttons.entries()) {
      button.setAttribute("aria-disabled", "true");
      button.classList.toggle("is-chosen", option === chosen);
    }
  }

  onClick(signal: AbortSignal, take: (option: number, event: MouseEvent) => void): void {
    for (const [option, button] of this.#buttons.entries()) {
      button.addEventListener("click", (event) => take(option, event), { signal });
      // Enter held down on a button clicks it again and again.
      button.addEventListener("keydown", (event) => event.repeat && event.preventDefault(), { signal });
    }
  }
}

function optionButton(trial: Parameters, option: number): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "iri-two-afc-option";
  button.setAttribute("aria-label", trial.option_labels[option] ?? "");
  button.setAttribute("aria-disabled", "true");
  if (trial.keyboard_shortcuts) {
    button.setAttribute("aria-keyshortcuts", (trial.option_keys[option] ?? []).join(" "));
  }
  button.append(element("span", "iri-two-afc-image"));
  const caption = trial.captions[option];
  if (caption) button.append(element("span", "iri-two-afc-caption", caption));
  return button;
}

function element(tag: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Calls `take` for the options' keys: not for held-down keys, and not while the browser's own are meant. */
function onOptionKey(
  keys: readonly (readonly string[])[],
  view: TrialView,
  signal: AbortSignal,
  take: (option: number, event: KeyboardEvent) => void,
): void {
  const listen = (event: KeyboardEvent): void => {
    if (!view.root.isConnected || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea")) return;
    const pressed = event.key.toLowerCase();
    const option = keys.findIndex((names) => names.some((name) => name.toLowerCase() === pressed));
    if (option < 0) return;
    event.preventDefault();
    take(option, event);
  };
  // Captured, since jsPsych's simulated keys do not bubble.
  document.addEventListener("keydown", listen, { capture: true, signal });
}

/** A click made with Enter, Space or an assistive technology names no pointer and counts no clicks. */
function inputOf(event: MouseEvent): Input {
  const pointer = "pointerType" in event ? event.pointerType : "";
  if (pointer === "touch" || pointer === "pen") return "touch";
  return pointer === "mouse" || event.detail > 0 ? "mouse" : "key";
}

/** jsPsych has filled in the defaults; its types still call those parameters optional. */
function checked(given: TrialType<Info>): Parameters {
  const trial = given as unknown as Parameters;
  if (trial.options.length !== 2) {
    throw new Error(`iri-two-afc: options must be two image addresses, not ${trial.options.length}.`);
  }
  return trial;
}

export default IriTwoAfcPlugin;
