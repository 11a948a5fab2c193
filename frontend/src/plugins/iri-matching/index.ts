import { type JsPsych, type JsPsychPlugin, ParameterType, type TrialType } from "jspsych";
import { version } from "../../../package.json";
import { citations } from "../../trial/citations";
import { askConfidence } from "../../trial/confidence";
import { inputOf, onKey } from "../../trial/input";
import { Matching } from "../../trial/matching";
import { type Answer, measured } from "../../trial/meters";
import { type CommonRow, type CommonTrial, commonData, commonParameters } from "../../trial/parameters";
import { hideAfter, reveal } from "../../trial/sequence";
import { simulateConfidence, simulatedRow, withinLimit } from "../../trial/simulate";
import { MatchingView } from "./view";

const info = <const>{
  name: "iri-matching",
  version: version,
  citations,
  parameters: {
    ...commonParameters,
    /** Addresses of the images to be matched, shown above, from left to right. */
    references: {
      type: ParameterType.IMAGE,
      array: true,
      default: undefined,
    },
    /** Addresses of as many images to match them with, shown below, from left to right. */
    options: {
      type: ParameterType.IMAGE,
      array: true,
      default: undefined,
    },
    /** What to do, as plain text. */
    prompt: {
      type: ParameterType.STRING,
      default: "Match every image above with the image below that looks most like it.",
    },
    /** Label of the button that ends the trial. */
    confirm_label: {
      type: ParameterType.STRING,
      default: "Confirm",
    },
    /** Names for screen readers; `{letter}`, `{n}` and `{match}` are filled in. */
    reference_label: {
      type: ParameterType.STRING,
      default: "Image {letter} above",
    },
    option_label: {
      type: ParameterType.STRING,
      default: "Image {n} below",
    },
    matched_label: {
      type: ParameterType.STRING,
      default: "{name}, matched with {match}",
    },
  },
  data: {
    ...commonData,
    /** For every reference in its order the place of its option, from 0; null if there was no answer. */
    response: {
      type: ParameterType.INT,
      array: true,
    },
    /** Addresses of the references, left to right. */
    stimulus: {
      type: ParameterType.STRING,
      array: true,
    },
    /** Addresses of the options, left to right. */
    options: {
      type: ParameterType.STRING,
      array: true,
    },
    /** How many matches were made, changes included. */
    n_matches: {
      type: ParameterType.INT,
    },
  },
};

type Info = typeof info;

/** A trial's parameters with their defaults filled in, as jsPsych hands them over; `info` documents each. */
export interface MatchingTrial extends CommonTrial {
  references: string[];
  options: string[];
  prompt: string;
  confirm_label: string;
  reference_label: string;
  option_label: string;
  matched_label: string;
}

/** What one trial records; `info.data` documents each. */
export interface MatchingData extends CommonRow {
  response: number[] | null;
  stimulus: string[];
  options: string[];
  n_matches: number;
}

/**
 * **iri-matching**: n images above, n below, one each. Click one and then its partner, drag it there, or choose
 * with the number keys; everything can be changed until it is confirmed.
 */
class IriMatchingPlugin implements JsPsychPlugin<Info> {
  static info = info;

  constructor(private jsPsych: JsPsych) {}

  trial(display: HTMLElement, given: TrialType<Info>, onLoad: () => void): Promise<MatchingData> {
    return this.#run(display, checked(given), onLoad);
  }

  async #run(display: HTMLElement, trial: MatchingTrial, onLoad: () => void): Promise<MatchingData> {
    const view = new MatchingView(display, trial);
    const { result, row } = await measured(view.root, trial.image_size, async () => {
      const onset = await reveal(this.jsPsych, view, trial, [...trial.references, ...trial.options]);
      onLoad();
      const answer = await this.#answer(view, trial, onset);
      const rated = answer
        ? await askConfidence(view.root, trial)
        : { confidence: null, confidence_rt: null };
      return { onset, answer, ...rated };
    });
    const response = result.answer?.choice ?? null;
    return { response, ...row, ...shown(trial), n_matches: view.nMatches };
  }

  /** The confirmed matches; null when the time limit came first. */
  #answer(view: MatchingView, trial: MatchingTrial, onset: number): Promise<Answer<number[]> | null> {
    const listening = new AbortController();
    const matching = new Matching(trial.references.length);
    return new Promise((resolve) => {
      const limit = trial.time_limit ?? Number.POSITIVE_INFINITY;
      const finish = (given: Answer<number[]> | null): void => {
        const answer = given && given.at - onset <= limit ? given : null; // the timer may be late
        listening.abort();
        view.close();
        resolve(answer);
      };
      view.show(matching);
      view.listen(matching, listening.signal, (event) => {
        if (event.timeStamp <= onset) return;
        if (event.timeStamp - onset < trial.pointer_guard && inputOf(event) !== "key") return;
        finish({ choice: confirmed(matching), at: event.timeStamp, input: view.lastInput });
      });
      if (trial.keyboard_shortcuts) {
        const keys = trial.options.map((_, place) => [String(place + 1)]);
        onKey(keys, view.root, listening.signal, (place, event) => {
          if (event.timeStamp >= onset) view.matchActive(matching, place);
        });
        onKey(
          [["ArrowLeft"], ["ArrowRight"], ["Backspace", "Delete"]],
          view.root,
          listening.signal,
          (which) => {
            if (which === 2) view.clearActive(matching);
            else view.moveActive(matching, which === 0 ? -1 : 1);
          },
        );
      }
      const timeout = this.jsPsych.pluginAPI.setTimeout;
      if (trial.time_limit !== null) timeout(() => finish(null), trial.time_limit);
      if (trial.image_frames !== null) void hideAfter(view.root, trial.image_frames, listening.signal);
      timeout(() => view.enable(), trial.pointer_guard);
    });
  }

  /** Matches at random ("data-only": at once, without showing anything; "visual": with real clicks). */
  async simulate(
    given: TrialType<Info>,
    mode: "data-only" | "visual",
    options: { data?: Partial<MatchingData> },
    onLoad: () => void,
  ): Promise<MatchingData> {
    const trial = checked(given);
    const wanted = options.data?.response;
    const places = trial.references.map((_, place) => place);
    const made: CommonRow = this.jsPsych.pluginAPI.mergeSimulationData(
      simulatedRow(this.jsPsych, trial),
      options,
    );
    // jsPsych's merging of options makes objects of lists.
    const response = wanted ? Object.values(wanted) : this.jsPsych.randomization.shuffle(places);
    const data = { ...made, response, ...shown(trial), n_matches: places.length };
    const row: MatchingData = withinLimit(data, trial.time_limit);
    if (mode === "data-only") {
      onLoad();
      return row;
    }
    return this.#run(this.jsPsych.getDisplayElement(), trial, () => {
      onLoad();
      if (row.response === null || row.rt === null) return;
      this.#click(row.response, Math.max(row.rt, trial.pointer_guard + 50));
      simulateConfidence(this.jsPsych, trial, row);
    });
  }

  #click(response: readonly number[], at: number): void {
    const { pluginAPI } = this.jsPsych;
    const root = this.jsPsych.getDisplayElement();
    const press = (target: Element | null | undefined): void => {
      if (target) pluginAPI.clickTarget(target);
    };
    pluginAPI.setTimeout(() => {
      for (const [reference, option] of response.entries()) {
        press(root.querySelectorAll(".iri-matching-references button")[reference]);
        press(root.querySelectorAll(".iri-matching-options button")[option]);
      }
      press(root.querySelector(".iri-matching-confirm"));
    }, at);
  }
}

function confirmed(matching: Matching): number[] {
  return matching.options.map((option) => option ?? 0);
}

function shown(trial: MatchingTrial): Pick<MatchingData, "stimulus" | "options"> {
  return { stimulus: [...trial.references], options: [...trial.options] };
}

/** jsPsych has filled in the defaults; its types still call those parameters optional. */
function checked(given: TrialType<Info>): MatchingTrial {
  const trial = given as unknown as MatchingTrial;
  const [above, below] = [trial.references.length, trial.options.length];
  if (above < 2 || above !== below) {
    throw new Error(`iri-matching: as many options as references, two or more; not ${above} and ${below}.`);
  }
  return trial;
}

export default IriMatchingPlugin;
