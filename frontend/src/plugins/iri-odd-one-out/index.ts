import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../../package.json";
import { type ChoiceTrial, runChoice } from "../../trial/choice";
import { type SimulationMode, simulateChoice } from "../../trial/choice-plugin";
import { citations } from "../../trial/citations";
import { type CommonRow, type CommonTrial, commonData, commonParameters } from "../../trial/parameters";

const info = <const>{
  name: "iri-odd-one-out",
  version: version,
  citations,
  parameters: {
    ...commonParameters,
    /** Addresses of three or more images, from left to right (also in right-to-left languages). */
    options: {
      type: ParameterType.IMAGE,
      array: true,
      default: undefined,
    },
    /** The question, as plain text. */
    prompt: {
      type: ParameterType.STRING,
      default: "Which image is least like the others?",
    },
    /** Names of the images for screen readers; `{n}` is the image's number. */
    option_label: {
      type: ParameterType.STRING,
      default: "Image {n}",
    },
    /** Keys (KeyboardEvent.key, case ignored) that choose each image; an empty list takes the numbers. */
    option_keys: {
      type: ParameterType.KEYS,
      array: true,
      default: [],
    },
  },
  data: {
    ...commonData,
    /** Place of the chosen image, from 0; null if there was no answer. */
    response: {
      type: ParameterType.INT,
    },
    /** Addresses of the images in the order shown. */
    options: {
      type: ParameterType.STRING,
      array: true,
    },
  },
};

type Info = typeof info;

/** A trial's parameters with their defaults filled in, as jsPsych hands them over; `info` documents each. */
interface Parameters extends CommonTrial {
  options: string[];
  prompt: string;
  option_label: string;
  option_keys: string[][];
}

/** What one trial records; `info.data` documents each. */
export interface OddOneOutData extends CommonRow {
  response: number | null;
  options: string[];
}

/** **iri-odd-one-out**: three or more images; which of them is least like the others? */
class IriOddOneOutPlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  async trial(display: HTMLElement, given: TrialType<Info>, onLoad: () => void): Promise<OddOneOutData> {
    const trial = checked(given);
    const row = await runChoice(this.jsPsych, display, choiceOf(trial), onLoad);
    return { ...row, options: [...trial.options] };
  }

  async simulate(
    given: TrialType<Info>,
    mode: SimulationMode,
    options: { data?: Partial<OddOneOutData> },
    onLoad: () => void,
  ): Promise<OddOneOutData> {
    const trial = checked(given);
    const row = await simulateChoice(this.jsPsych, choiceOf(trial), mode, options, onLoad);
    return { ...row, options: [...trial.options] };
  }
}

function choiceOf(trial: Parameters): ChoiceTrial {
  return {
    ...trial,
    format: "odd-one-out",
    reference: null,
    reference_duration: null,
    reference_prompt: "",
    mask_duration: 0,
    options: trial.options.map((image, place) => ({
      image,
      label: "",
      name: trial.option_label.replace("{n}", String(place + 1)),
      caption: String(place + 1),
      keys: trial.option_keys[place] ?? [String(place + 1)],
    })),
  };
}

/** jsPsych has filled in the defaults; its types still call those parameters optional. */
function checked(given: TrialType<Info>): Parameters {
  const trial = given as unknown as Parameters;
  if (trial.options.length < 3) {
    throw new Error(
      `iri-odd-one-out: options must be three or more image addresses, not ${trial.options.length}.`,
    );
  }
  return trial;
}

export default IriOddOneOutPlugin;
