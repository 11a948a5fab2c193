import type { JsPsych } from "jspsych";
import { type ChoiceRow, type ChoiceTrial, runChoice } from "./choice";
import { pressAt, simulateConfidence, simulatedRow, withinLimit } from "./simulate";

export type SimulationMode = "data-only" | "visual";

/** A simulated choice: at once without showing anything ("data-only"), or with a real key or click ("visual"). */
export async function simulateChoice(
  jsPsych: JsPsych,
  trial: ChoiceTrial,
  mode: SimulationMode,
  options: { data?: Partial<ChoiceRow> },
  onLoad: () => void,
): Promise<ChoiceRow> {
  const response = jsPsych.randomization.randomInt(0, trial.options.length - 1);
  const made: ChoiceRow = jsPsych.pluginAPI.mergeSimulationData(
    { response, ...simulatedRow(jsPsych, trial) },
    options,
  );
  const row = withinLimit(made, trial.time_limit);
  if (mode === "data-only") {
    onLoad();
    return row;
  }
  return runChoice(jsPsych, jsPsych.getDisplayElement(), trial, () => {
    onLoad();
    if (row.response === null || row.rt === null) return;
    const place = row.response;
    const find = () => jsPsych.getDisplayElement().querySelectorAll(".iri-trial-option")[place];
    pressAt(jsPsych, trial, find, trial.options[place]?.keys[0], row.rt);
    simulateConfidence(jsPsych, trial, row);
  });
}
