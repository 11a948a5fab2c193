import type { Manifest, Presentation } from "./api";
import type { Strings } from "./i18n/strings";
import IriTwoAfcPlugin, { type TwoAfcData } from "./plugins/iri-two-afc";
import type { Row } from "./stage";

/** What a trial needs besides its presentation. */
export interface TrialContext {
  strings: Strings;
  settings: Manifest["settings"];
  hasKeyboardShortcuts: boolean;
  /** Asked when the trial starts: the window may have changed. */
  imageSize: () => number;
  loadImage: (url: string) => Promise<HTMLImageElement>;
}

/** How a trial format is put on the stage, and what its data row says as answers. */
interface TrialFormat<Data> {
  describe(presentation: Presentation, context: TrialContext): { type: unknown; [name: string]: unknown };
  answers(presentation: Presentation, data: Data): { reference: number; option: number | null }[];
}

const twoAfc: TrialFormat<TwoAfcData> = {
  describe(presentation, { strings, settings, hasKeyboardShortcuts, imageSize, loadImage }) {
    return {
      type: IriTwoAfcPlugin,
      reference: presentation.references[0]?.image ?? "",
      options: inShownOrder(presentation).map((option) => option.image ?? ""),
      prompt: strings.prompt,
      reference_label: strings.referenceLabel,
      option_labels: [strings.leftLabel, strings.rightLabel],
      captions: hasKeyboardShortcuts
        ? [`← ${strings.left}`, `${strings.right} →`]
        : [strings.left, strings.right],
      loading_text: strings.loadingImages,
      image_size: imageSize,
      keyboard_shortcuts: hasKeyboardShortcuts,
      fixation_duration: settings.fixation_ms,
      image_duration: settings.image_ms,
      time_limit: settings.time_limit_ms,
      load_image: loadImage,
    };
  },
  answers(presentation, data) {
    const chosen = data.response === null ? undefined : inShownOrder(presentation)[data.response];
    return [{ reference: presentation.references[0]?.index ?? 0, option: chosen?.position ?? null }];
  },
};

// A new format is one plugin and one line here.
const FORMATS: Partial<Record<Presentation["format"], TrialFormat<TwoAfcData>>> = { two_afc: twoAfc };

function formatOf(presentation: Presentation): TrialFormat<TwoAfcData> {
  const format = FORMATS[presentation.format];
  if (format) return format;
  const known = Object.keys(FORMATS).join(", ");
  throw new Error(`This page cannot show the trial format "${presentation.format}"; it knows ${known}.`);
}

export function describeTrial(presentation: Presentation, context: TrialContext) {
  return formatOf(presentation).describe(presentation, context);
}

/** The log's `response` entry for a finished trial. */
export function responsePayload(presentation: Presentation, data: TwoAfcData & Row): Record<string, unknown> {
  return {
    presentation: presentation.id,
    answers: formatOf(presentation).answers(presentation, data),
    rt: data.rt,
    timed_out: data.timed_out,
    confidence: null,
    input: data.input,
    rt_raw_ms: data.rt_raw_ms,
    onset_frame_ms: data.onset_frame_ms,
    refresh_hz: data.refresh_hz,
    frames_dropped: data.frames_dropped,
    focus_lost: data.focus_lost,
    time_elapsed: data.time_elapsed,
    trial_type: data.trial_type,
    trial_index: data.trial_index,
  };
}

/** Addresses of a presentation's images, in the order in which they are needed. */
export function imagesOf(presentation: Presentation): string[] {
  const all = [...presentation.references, ...inShownOrder(presentation)];
  return all.flatMap((place) => (place.image === null ? [] : [place.image]));
}

function inShownOrder(presentation: Presentation): Presentation["options"] {
  return [...presentation.options].sort((a, b) => a.position - b.position);
}
