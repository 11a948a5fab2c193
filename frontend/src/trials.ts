import type { Manifest, Presentation } from "./api";
import { fill } from "./i18n";
import type { Strings } from "./i18n/strings";
import type { Grid } from "./layout";
import IriClassificationPlugin from "./plugins/iri-classification";
import IriMatchingPlugin from "./plugins/iri-matching";
import IriOddOneOutPlugin from "./plugins/iri-odd-one-out";
import IriTwoAfcPlugin from "./plugins/iri-two-afc";
import type { Row } from "./stage";
import type { CommonRow } from "./trial/parameters";

/** What a trial needs besides its presentation. */
export interface TrialContext {
  strings: Strings;
  settings: Manifest["settings"];
  hasKeyboardShortcuts: boolean;
  /** Asked when the trial starts: the window may have changed. */
  imageSize: (grid: Grid) => number;
  loadImage: (url: string) => Promise<HTMLImageElement>;
}

/** A trial's data row: one place for formats with one reference, one a reference for those with several. */
export type TrialRow = CommonRow & Row & { response: number | number[] | null };

/** How a trial format is put on the stage. */
interface TrialFormat {
  grid(presentation: Presentation): Grid;
  /** The question at the images, and once they are gone; `isFirst`: the reference is shown first. */
  prompts(strings: Strings, isFirst: boolean): [atImages: string, onceGone: string];
  describe(
    presentation: Presentation,
    context: TrialContext,
  ): { type: unknown; [parameter: string]: unknown };
}

const LABEL_ROW_PX = 64;
const LABELS_A_ROW = 3;
const ICON_PX = 48;

const twoAfc: TrialFormat = {
  grid: () => ({ columns: 2, rows: 2, extraPx: 0 }),
  prompts: (strings, isFirst) =>
    isFirst ? [strings.promptFirst, strings.promptFirstHidden] : [strings.prompt, strings.promptHidden],
  describe: (presentation, context) => ({
    type: IriTwoAfcPlugin,
    ...referenceAbove(presentation, context),
    options: images(presentation),
    option_labels: [context.strings.leftLabel, context.strings.rightLabel],
    captions: context.hasKeyboardShortcuts
      ? [`← ${context.strings.left}`, `${context.strings.right} →`]
      : [context.strings.left, context.strings.right],
  }),
};

const matching: TrialFormat = {
  grid: ({ options }) => ({ columns: options.length, rows: 2, extraPx: 72 }),
  prompts: (strings) => [strings.matchingPrompt, strings.matchingHidden],
  describe: (presentation, { strings }) => ({
    type: IriMatchingPlugin,
    references: presentation.references.map((reference) => reference.image ?? ""),
    options: images(presentation),
    confirm_label: strings.confirm,
    reference_label: strings.matchReference,
    option_label: strings.matchOption,
    matched_label: strings.matched,
  }),
};

const classification: TrialFormat = {
  grid: ({ options }) => {
    const rows = Math.ceil(options.length / LABELS_A_ROW);
    const icons = options.some((option) => option.image !== null) ? ICON_PX : 0;
    return { columns: 1, rows: 1, extraPx: rows * (LABEL_ROW_PX + icons) - ABOUT_OPTIONS_PX };
  },
  prompts: (strings, isFirst) => [
    isFirst ? strings.classificationSeen : strings.classificationPrompt,
    strings.classificationSeen,
  ],
  describe: (presentation, context) => ({
    type: IriClassificationPlugin,
    ...referenceAbove(presentation, context),
    labels: inShownOrder(presentation).map((option) => option.label ?? ""),
    icons: inShownOrder(presentation).map((option) => option.image),
  }),
};

/** What the layout sets aside for captions and hint of formats with image options. */
const ABOUT_OPTIONS_PX = 48;

const oddOneOut: TrialFormat = {
  grid: ({ options }) => ({ columns: options.length, rows: 1, extraPx: 0 }),
  prompts: (strings) => [strings.oddOneOutPrompt, strings.oddOneOutHidden],
  describe: (presentation, { strings }) => ({
    type: IriOddOneOutPlugin,
    options: images(presentation),
    option_label: strings.imageNumber,
  }),
};

// A new format is one plugin and one line here.
const FORMATS: Record<Presentation["format"], TrialFormat> = {
  two_afc: twoAfc,
  matching,
  classification,
  odd_one_out: oddOneOut,
};

function formatOf(presentation: Presentation): TrialFormat {
  const format = FORMATS[presentation.format];
  if (format) return format;
  const known = Object.keys(FORMATS).join(", ");
  throw new Error(`This page cannot show the trial format "${presentation.format}"; it knows ${known}.`);
}

export function describeTrial(presentation: Presentation, context: TrialContext) {
  const format = formatOf(presentation);
  const { strings, settings, hasKeyboardShortcuts, imageSize, loadImage } = context;
  const [prompt, gone] = format.prompts(strings, settings.reference_ms !== null);
  return {
    prompt,
    hidden_prompt: settings.image_frames === null ? "" : gone,
    loading_text: strings.loadingImages,
    image_size: () => imageSize(format.grid(presentation)),
    keyboard_shortcuts: hasKeyboardShortcuts,
    fixation_duration: settings.fixation_ms,
    image_frames: settings.image_frames,
    time_limit: settings.time_limit_ms,
    confidence_levels: settings.confidence_levels,
    confidence_prompt: strings.confidencePrompt,
    confidence_ends: [strings.confidenceLow, strings.confidenceHigh],
    load_image: loadImage,
    ...format.describe(presentation, context),
  };
}

export function gridOf(presentation: Presentation): Grid {
  return formatOf(presentation).grid(presentation);
}

/** What is read out when a trial comes; its question is read by the trial itself. */
export function announcement(strings: Strings, n: number, total: number): string {
  return fill(strings.trialAnnouncement, { n, total });
}

/** The log's `response` entry for a finished trial. */
export function responsePayload(
  presentation: Presentation,
  data: TrialRow,
  attempt: number,
): Record<string, unknown> {
  return {
    presentation: presentation.id,
    attempt,
    answers: answers(presentation, data.response),
    rt: data.rt,
    timed_out: data.timed_out,
    confidence: data.confidence,
    confidence_rt: data.confidence_rt,
    input: data.input,
    rt_raw_ms: data.rt_raw_ms,
    onset_frame_ms: data.onset_frame_ms,
    refresh_hz: data.refresh_hz,
    frames_dropped: data.frames_dropped,
    focus_lost: data.focus_lost,
    image_size: data.image_size,
    time_elapsed: data.time_elapsed,
    trial_type: data.trial_type,
    trial_index: data.trial_index,
  };
}

function answers(
  presentation: Presentation,
  response: TrialRow["response"],
): { reference: number; option: number | null }[] {
  const shown = inShownOrder(presentation);
  const chosen = Array.isArray(response) ? response : [response];
  return presentation.references.map(({ index }, place) => {
    const option = chosen[place] ?? null;
    return { reference: index, option: option === null ? null : (shown[option]?.position ?? null) };
  });
}

/** Addresses of a presentation's images, in the order in which they are needed. */
export function imagesOf(presentation: Presentation): string[] {
  const all = [...presentation.references, ...inShownOrder(presentation)];
  return all.flatMap((place) => (place.image === null ? [] : [place.image]));
}

function referenceAbove({ references }: Presentation, { strings, settings }: TrialContext) {
  return {
    reference: references[0]?.image ?? "",
    reference_label: strings.referenceLabel,
    reference_duration: settings.reference_ms,
    reference_prompt: settings.reference_ms === null ? "" : strings.lookPrompt,
    mask_duration: settings.mask_ms,
  };
}

function images(presentation: Presentation): string[] {
  return inShownOrder(presentation).map((option) => option.image ?? "");
}

function inShownOrder(presentation: Presentation): Presentation["options"] {
  return [...presentation.options].sort((a, b) => a.position - b.position);
}
