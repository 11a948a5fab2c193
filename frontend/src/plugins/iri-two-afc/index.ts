import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../../package.json";
import { type ChoiceTrial, runChoice } from "../../trial/choice";
import { type SimulationMode, simulateChoice } from "../../trial/choice-plugin";
import { citations } from "../../trial/citations";
import {
  type CommonRow,
  type CommonTrial,
  commonData,
  commonParameters,
  type ReferenceFirst,
  referenceParameters,
} from "../../trial/parameters";

const info = <const>{
  name: "iri-two-afc",
  version: version,
  citations,
  parameters: {
    ...commonParameters,
    ...referenceParameters,
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
    /** Keys (KeyboardEvent.key, case ignored) that choose the left and the right option. */
    option_keys: {
      type: ParameterType.KEYS,
      array: true,
      default: [
        ["ArrowLeft", "f", "1"],
        ["ArrowRight", "j", "2"],
      ],
    },
  },
  data: {
    ...commonData,
    /** Place of the chosen option: 0 left, 1 right; null if there was no answer. */
    response: {
      type: ParameterType.INT,
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
  },
};

type Info = typeof info;

/** A trial's parameters with their defaults filled in, as jsPsych hands them over; `info` documents each. */
interface Parameters extends CommonTrial, ReferenceFirst {
  reference: string;
  reference_label: string;
  options: string[];
  prompt: string;
  option_labels: string[];
  captions: string[];
  option_keys: string[][];
}

/** What one trial records; `info.data` documents each. */
export interface TwoAfcData extends CommonRow {
  response: number | null;
  stimulus: string;
  options: string[];
}

/**
 * **iri-two-afc**: one image above, two below; which of the two looks more like it?
 *
 * Answers by key, mouse or touch are taken in the same trial, once, and only after the images were painted. The
 * reference can be shown first, for a set time, and masked.
 */
class IriTwoAfcPlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  async trial(display: HTMLElement, given: TrialType<Info>, onLoad: () => void): Promise<TwoAfcData> {
    const trial = checked(given);
    return { ...(await runChoice(this.jsPsych, display, choiceOf(trial), onLoad)), ...shown(trial) };
  }

  async simulate(
    given: TrialType<Info>,
    mode: SimulationMode,
    options: { data?: Partial<TwoAfcData> },
    onLoad: () => void,
  ): Promise<TwoAfcData> {
    const trial = checked(given);
    const row = await simulateChoice(this.jsPsych, choiceOf(trial), mode, options, onLoad);
    return { ...row, ...shown(trial) };
  }
}

function choiceOf(trial: Parameters): ChoiceTrial {
  return {
    ...trial,
    format: "two-afc",
    reference: { url: trial.reference, name: trial.reference_label },
    options: trial.options.map((image, place) => ({
      image,
      label: "",
      name: trial.option_labels[place] ?? "",
      caption: trial.captions[place] ?? "",
      keys: trial.option_keys[place] ?? [],
    })),
  };
}

function shown(trial: Parameters): Pick<TwoAfcData, "stimulus" | "options"> {
  return { stimulus: trial.reference, options: [...trial.options] };
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
