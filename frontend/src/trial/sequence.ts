import type { JsPsych } from "jspsych";
import { nextFrame } from "../timing/frames";
import { loadImagePersistently } from "./load-image";
import type { CommonTrial, ReferenceFirst } from "./parameters";

/** What a trial shows at a time; the style sheet hides and shows by it. */
export type Phase = "fixation" | "loading" | "reference" | "mask" | "shown" | "hidden" | "confidence";

/** A duration ends with the frame nearest to it: half a frame at 120 Hz. */
const HALF_FRAME_MS = 4;

/** A trial's elements as the sequence needs them. */
export interface Staged {
  readonly root: HTMLElement;
  /** Puts the images into their places, in the order of their addresses. */
  place(images: readonly HTMLImageElement[]): void;
}

export function setPhase(root: HTMLElement, phase: Phase): void {
  root.dataset.phase = phase;
}

/**
 * Fixation while the images load, then the reference alone and noise where the trial wants that, then all of it.
 * Gives the onset: the timestamp of the first frame after the one that made the images visible.
 */
export async function reveal(
  jsPsych: JsPsych,
  view: Staged,
  trial: CommonTrial & Partial<ReferenceFirst>,
  urls: readonly string[],
): Promise<number> {
  const load = trial.load_image ?? loadImagePersistently;
  setPhase(view.root, trial.fixation_duration > 0 ? "fixation" : "loading");
  const fixated = fixation(jsPsych, trial.fixation_duration).then(() => setPhase(view.root, "loading"));
  const [images] = await Promise.all([Promise.all(urls.map((url) => load(url))), fixated]);
  view.place(images);
  await nextFrame();
  const first = trial.reference_duration ?? null;
  if (first !== null) {
    await showFor(view.root, "reference", first);
    if (trial.mask_duration) await showFor(view.root, "mask", trial.mask_duration);
  }
  setPhase(view.root, "shown");
  return nextFrame();
}

/** Hides the images once they were visible for `frames` frames; the first of them is the onset's. */
export async function hideAfter(root: HTMLElement, frames: number, signal: AbortSignal): Promise<void> {
  for (let frame = 1; frame < frames; frame += 1) await nextFrame();
  if (!signal.aborted) setPhase(root, "hidden");
}

async function fixation(jsPsych: JsPsych, duration: number): Promise<void> {
  if (duration <= 0) return;
  await new Promise((resolve) => {
    jsPsych.pluginAPI.setTimeout(() => resolve(undefined), duration);
  });
}

/** Called in an animation frame, and ends in one: whole frames, as near to the duration as they come. */
async function showFor(root: HTMLElement, phase: Phase, duration: number): Promise<void> {
  setPhase(root, phase);
  const shown = await nextFrame();
  for (let now = shown; now - shown < duration - HALF_FRAME_MS; ) now = await nextFrame();
}
