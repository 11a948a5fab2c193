import { initJsPsych, type JsPsych } from "jspsych";

/** A jsPsych trial description: `type` is the plugin, the rest its parameters. */
// biome-ignore lint/suspicious/noExplicitAny: jsPsych's own type of a plugin class
type TrialDescription = { type: any; [parameter: string]: unknown };

/**
 * jsPsych as a stage that shows one trial after the other as the walk decides.
 *
 * jsPsych runs a timeline that is known beforehand; what comes after consent is not. So each trial is put on the
 * timeline when it is its turn, and the trial before ends only then. The handover takes no frame.
 */
export class Stage {
  readonly jsPsych: JsPsych;
  readonly #timeline: TrialDescription[] = [];
  #isRunning = false;
  #goOn: () => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;

  constructor(readonly root: HTMLElement) {
    this.jsPsych = initJsPsych({
      display_element: root,
      // jsPsych makes its root a tab stop; a stop where nothing can be done helps nobody.
      on_trial_start: () => {
        root.tabIndex = -1;
      },
    });
  }

  /** Ends the trial that is shown without an answer: `show` gives a row with `interrupted`. */
  interrupt(): void {
    this.jsPsych.finishTrial({ interrupted: true });
  }

  /** Shows a trial or page; gives jsPsych's data row of it. */
  show<Data>(description: TrialDescription): Promise<Data & Row> {
    return new Promise((resolve, reject) => {
      this.#timeline.push({
        ...description,
        on_finish: (row: Data & Row): Promise<void> => {
          const next = new Promise<void>((goOn) => {
            this.#goOn = goOn;
          });
          resolve(row);
          return next;
        },
      });
      this.#fail = reject;
      if (this.#isRunning) this.#goOn();
      else {
        this.#isRunning = true;
        this.jsPsych.run(this.#timeline).catch((error: unknown) => this.#fail(error));
      }
    });
  }
}

/** jsPsych's own columns of every row. */
export interface Row {
  trial_type: string;
  trial_index: number;
  time_elapsed: number;
  /** Only where `interrupt` ended it. */
  interrupted?: boolean;
}
