import { ParameterType } from "jspsych";

/** Parameters that every trial format takes. */
export const commonParameters = <const>{
  /** The question once the images are gone (`image_frames`), as plain text; empty: it stays as it is. */
  hidden_prompt: {
    type: ParameterType.STRING,
    default: "",
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
  /** Whether single keys answer. Tab with Enter or Space always does. */
  keyboard_shortcuts: {
    type: ParameterType.BOOL,
    default: true,
  },
  /** How long a fixation cross is shown before the images, in ms; 0 for none. */
  fixation_duration: {
    type: ParameterType.INT,
    default: 0,
  },
  /** For how many animation frames the images are visible; null until the answer. */
  image_frames: {
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
  /** How many levels of confidence are asked for after the answer; null: it is not asked. */
  confidence_levels: {
    type: ParameterType.INT,
    default: null,
  },
  /** The question about confidence, as plain text. */
  confidence_prompt: {
    type: ParameterType.STRING,
    default: "How sure are you?",
  },
  /** Words at the low and the high end of the levels. */
  confidence_ends: {
    type: ParameterType.STRING,
    array: true,
    default: ["Guessed", "Certain"],
  },
  /** Gives a decoded image for an address, e.g. from a preloader; null: the plugin loads it, retrying. */
  load_image: {
    type: ParameterType.FUNCTION,
    default: null,
  },
};

/** Parameters of the formats that ask about one image above the options. */
export const referenceParameters = <const>{
  /** Address of the image asked about, shown above. */
  reference: {
    type: ParameterType.IMAGE,
    default: undefined,
  },
  /** Name of the reference for screen readers. */
  reference_label: {
    type: ParameterType.STRING,
    default: "Image to compare",
  },
  /** The reference is shown first, alone, for so long, in ms; null: together with the options. */
  reference_duration: {
    type: ParameterType.INT,
    default: null,
  },
  /** What to say while a reference is shown first, as plain text; empty: the question itself. */
  reference_prompt: {
    type: ParameterType.STRING,
    default: "",
  },
  /** For how long noise takes the place of a reference shown first, in ms; 0 for none. */
  mask_duration: {
    type: ParameterType.INT,
    default: 0,
  },
};

/** What every trial format records. */
export const commonData = <const>{
  /** Answer minus onset, in ms, rounded; null if there was no answer. */
  rt: {
    type: ParameterType.INT,
  },
  /** Answer minus onset as measured, in ms: the event's own timestamp minus `onset_frame_ms`. */
  rt_raw_ms: {
    type: ParameterType.FLOAT,
  },
  /** Whether the time limit ended the trial. */
  timed_out: {
    type: ParameterType.BOOL,
  },
  /** What the answer was given with: "key", "mouse" or "touch" (a pen counts as touch); null if none. */
  input: {
    type: ParameterType.STRING,
  },
  /** Level of confidence, from 1; null if it was not asked. */
  confidence: {
    type: ParameterType.INT,
  },
  /** From the question about confidence to its answer, in ms, rounded; null if it was not asked. */
  confidence_rt: {
    type: ParameterType.INT,
  },
  /**
   * Onset: timestamp (ms since the page's time origin) of the first animation frame after the one that
   * made the images visible; where the reference comes first, those of the options.
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
};

export type Input = "key" | "mouse" | "touch";

/** The common parameters with their defaults filled in, as jsPsych hands them over. */
export interface CommonTrial {
  prompt: string;
  hidden_prompt: string;
  hint: string;
  loading_text: string;
  image_size: number | null;
  keyboard_shortcuts: boolean;
  fixation_duration: number;
  image_frames: number | null;
  time_limit: number | null;
  pointer_guard: number;
  confidence_levels: number | null;
  confidence_prompt: string;
  confidence_ends: string[];
  load_image: ((url: string) => Promise<HTMLImageElement>) | null;
}

/** When a reference is shown before the options, and for how long. */
export interface ReferenceFirst {
  reference_duration: number | null;
  reference_prompt: string;
  mask_duration: number;
}

/** The common data of a row; `commonData` documents each. */
export interface CommonRow {
  rt: number | null;
  rt_raw_ms: number | null;
  timed_out: boolean;
  input: Input | null;
  confidence: number | null;
  confidence_rt: number | null;
  onset_frame_ms: number;
  refresh_hz: number | null;
  frames_dropped: number;
  focus_lost: number;
  image_size: number | null;
}
