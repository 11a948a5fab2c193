import { FocusMeter } from "../timing/focus";
import { FrameMeter } from "../timing/frames";
import type { Confidence } from "./confidence";
import type { CommonRow, Input } from "./parameters";

/** An answer: what was chosen, the event's own timestamp (ms since the page's time origin), and by what. */
export interface Answer<Choice> {
  choice: Choice;
  at: number;
  input: Input;
}

/** Watches frames and focus while `run` shows a trial in `root`; gives what `run` gives and what every row records. */
export async function measured<Result extends { onset: number; answer: Answer<unknown> | null } & Confidence>(
  root: HTMLElement,
  imageSize: number | null,
  run: () => Promise<Result>,
): Promise<{ result: Result; row: CommonRow }> {
  const frames = new FrameMeter();
  const focus = new FocusMeter();
  frames.start(() => root.isConnected);
  focus.start(() => root.isConnected);
  try {
    const result = await run();
    const { answer, onset, confidence, confidence_rt } = result;
    const row: CommonRow = {
      rt: answer ? Math.round(answer.at - onset) : null,
      rt_raw_ms: answer ? answer.at - onset : null,
      timed_out: answer === null,
      input: answer?.input ?? null,
      confidence,
      confidence_rt,
      onset_frame_ms: onset,
      refresh_hz: frames.refreshHz,
      frames_dropped: frames.dropped,
      focus_lost: focus.lost,
      image_size: imageSize,
    };
    return { result, row };
  } finally {
    frames.stop();
    focus.stop();
  }
}
