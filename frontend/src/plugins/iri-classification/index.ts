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

/** Keys of the options in their order: the row of numbers, then the row below it. */
const KEYS = [..."1234567890qwertyuiop"];

const info = <const>{
  name: "iri-classification",
  version: version,
  citations,
  parameters: {
    ...commonParameters,
    ...referenceParameters,
    /** The labels to choose from, as plain text, in the order shown. */
    labels: {
      type: ParameterType.STRING,
      array: true,
      default: undefined,
    },
    /** Addresses of the labels' icons, in their order; null for a label without one. */
    icons: {
      type: ParameterType.IMAGE,
      array: true,
      default: [],
    },
    /** The question, as plain text. */
    prompt: {
      type: ParameterType.STRING,
      default: "What does this image show?",
    },
  },
  data: {
    ...commonData,
    /** Place of the chosen label, from 0; null if there was no answer. */
    response: {
      type: ParameterType.INT,
    },
    /** Address of the reference. */
    stimulus: {
      type: ParameterType.STRING,
    },
    /** The labels in the order shown. */
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
  labels: string[];
  icons: (string | null)[];
  prompt: string;
}

/** What one trial records; `info.data` documents each. */
export interface ClassificationData extends CommonRow {
  response: number | null;
  stimulus: string;
  options: string[];
}

/** **iri-classification**: one image above, labels below, with icons or without; which one names it? */
class IriClassificationPlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  async trial(display: HTMLElement, given: TrialType<Info>, onLoad: () => void): Promise<ClassificationData> {
    const trial = checked(given);
    return { ...(await runChoice(this.jsPsych, display, choiceOf(trial), onLoad)), ...shown(trial) };
  }

  async simulate(
    given: TrialType<Info>,
    mode: SimulationMode,
    options: { data?: Partial<ClassificationData> },
    onLoad: () => void,
  ): Promise<ClassificationData> {
    const trial = checked(given);
    const row = await simulateChoice(this.jsPsych, choiceOf(trial), mode, options, onLoad);
    return { ...row, ...shown(trial) };
  }
}

function choiceOf(trial: Parameters): ChoiceTrial {
  return {
    ...trial,
    format: "classification",
    reference: { url: trial.reference, name: trial.reference_label },
    options: trial.labels.map((label, place) => ({
      image: trial.icons[place] ?? null,
      label,
      name: label,
      caption: trial.keyboard_shortcuts ? (KEYS[place]?.toUpperCase() ?? "") : "",
      keys: KEYS.slice(place, place + 1),
    })),
  };
}

function shown(trial: Parameters): Pick<ClassificationData, "stimulus" | "options"> {
  return { stimulus: trial.reference, options: [...trial.labels] };
}

/** jsPsych has filled in the defaults; its types still call those parameters optional. */
function checked(given: TrialType<Info>): Parameters {
  const trial = given as unknown as Parameters;
  if (trial.labels.length < 2) {
    throw new Error(`iri-classification: labels must be two or more, not ${trial.labels.length}.`);
  }
  return trial;
}

export default IriClassificationPlugin;
