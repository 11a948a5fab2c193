import type { JsPsych } from "jspsych";
import type { CommonRow, CommonTrial } from "./parameters";

/** Time that a simulated person takes to say how sure they are, in ms. */
const CONFIDENCE_MS = 400;

/** A row as somebody could have made it, apart from the response. */
export function simulatedRow(jsPsych: JsPsych, trial: CommonTrial): CommonRow {
  const random = jsPsych.randomization;
  const rt = random.sampleExGaussian(600, 100, 1 / 200, true);
  const levels = trial.confidence_levels;
  return {
    rt: Math.round(rt),
    rt_raw_ms: rt,
    timed_out: false,
    input: trial.keyboard_shortcuts ? "key" : "mouse",
    confidence: levels === null ? null : random.randomInt(1, levels),
    confidence_rt: levels === null ? null : CONFIDENCE_MS,
    onset_frame_ms: performance.now(),
    refresh_hz: 60,
    frames_dropped: 0,
    focus_lost: 0,
    image_size: trial.image_size,
  };
}

/** The row that comes of it when the time limit ends the trial before the simulated answer. */
export function withinLimit<Row extends CommonRow & { response: unknown }>(
  row: Row,
  limit: number | null,
): Row {
  if (limit === null || (row.rt !== null && row.rt <= limit)) return row;
  const none = {
    response: null,
    rt: null,
    rt_raw_ms: null,
    input: null,
    confidence: null,
    confidence_rt: null,
  };
  return { ...row, ...none, timed_out: true };
}

/** Presses the button at this time after now, by its key where keys work. */
export function pressAt(
  jsPsych: JsPsych,
  trial: CommonTrial,
  find: () => Element | null | undefined,
  key: string | undefined,
  at: number,
): void {
  if (trial.keyboard_shortcuts && key) {
    jsPsych.pluginAPI.pressKey(key, at);
    return;
  }
  jsPsych.pluginAPI.setTimeout(
    () => {
      const target = find();
      if (target) jsPsych.pluginAPI.clickTarget(target);
    },
    Math.max(at, trial.pointer_guard + 50),
  );
}

/** Answers the question about confidence after the answer that came at `rt`. */
export function simulateConfidence(jsPsych: JsPsych, trial: CommonTrial, row: CommonRow): void {
  const { confidence, rt } = row;
  if (confidence === null || rt === null) return;
  const find = () => jsPsych.getDisplayElement().querySelectorAll(".iri-trial-level")[confidence - 1];
  const at = Math.max(rt, trial.pointer_guard + 50) + (row.confidence_rt ?? CONFIDENCE_MS);
  pressAt(jsPsych, trial, find, String(confidence), at);
}
