import type { Manifest, Presentation } from "../api";
import { currentViewport, type Grid, imageSize } from "../layout";
import type { Step } from "../order";
import * as pages from "../pages";
import type { Practice } from "../practice";
import type { Outbox } from "../transport/outbox";
import {
  announcement,
  describeTrial,
  imagesOf,
  responsePayload,
  type TrialContext,
  type TrialRow,
} from "../trials";
import type { History } from "./history";
import { awaitVerdicts, giveFeedback } from "./practising";
import type { Survey } from "./survey";

/** So many trials ahead of the one on the screen are loaded and decoded. */
const LOOK_AHEAD = 4;

/** What asking the trials that are left needs to know. */
export interface Asking {
  log: Outbox;
  manifest: Manifest;
  steps: readonly Step[];
  history: History;
  practice: Practice;
}

/** Asks what is left, in order, until it is answered or practice is failed. */
export async function askTrials(survey: Survey, asking: Asking): Promise<void> {
  const { shell, strings } = survey;
  const { log, manifest, steps, history, practice } = asking;
  const { answered } = history;
  await awaitVerdicts(survey, log, manifest, answered, practice);
  let late = "";
  const queue = [...steps]; // grows behind the place that it is at
  for (const [place, { presentation, breakBefore }] of queue.entries()) {
    if (practice.standing === "failed") return;
    if (!practice.isNeeded(presentation)) continue;
    const { done, total } = progress(manifest.presentations, presentation, answered);
    shell.showProgress(done, total);
    if (breakBefore) await survey.page(log, "break", pages.breakPage(survey.study, strings));
    preload(survey, queue, place);
    shell.announce(`${late} ${announcement(strings, done + 1, total)}`.trim());
    const { timed_out, interrupted } = await askTrial(survey, asking, presentation);
    if (interrupted) {
      askLater(queue, place);
      await pauseAfter(survey, log, presentation);
      continue;
    }
    // Said together with what comes next, which would cut it short; also on its own, if a page comes next.
    late = timed_out ? strings.timedOut : "";
    if (late) {
      shell.announce(late);
      shell.showPassing(late);
    }
    if (presentation.feedback) await giveFeedback(survey, asking, presentation);
  }
  const last = steps.at(-1)?.presentation;
  if (!last) return;
  const { total } = progress(manifest.presentations, last, answered);
  shell.showProgress(total, total);
}

/** As after a reload: it comes again at the end of its block. */
function askLater(queue: Step[], place: number): void {
  const left = queue[place] as Step;
  const last = queue.map(({ presentation }) => presentation.block).lastIndexOf(left.presentation.block);
  queue.splice(last + 1, 0, { ...left, breakBefore: false });
}

async function pauseAfter(survey: Survey, log: Outbox, { id }: Presentation): Promise<void> {
  log.append("event", { event: "trial_interrupted", presentation: id, by: "pause" }, true);
  await survey.page(log, "pause", pages.pausePage(survey.strings));
}

/** What the instructions have to say. */
export function taskOf({ presentations, settings }: Manifest): pages.Task {
  return { formats: new Set(presentations.map(({ format }) => format)), settings };
}

/** Shows one trial, and logs that it began and what was answered. */
async function askTrial(
  survey: Survey,
  { log, manifest, history }: Asking,
  presentation: Presentation,
): Promise<TrialRow> {
  const attempt = (history.attempts.get(presentation.id) ?? 0) + 1;
  history.attempts.set(presentation.id, attempt);
  log.append("event", { event: "trial_started", presentation: presentation.id, attempt }, true);
  survey.shell.showPause(() => {
    survey.shell.showPause(null);
    survey.stage.interrupt();
  });
  const row = await survey.stage.show<TrialRow>(describeTrial(presentation, contextOf(survey, manifest)));
  survey.shell.showPause(null);
  if (row.interrupted) return row;
  log.append("response", responsePayload(presentation, row, attempt));
  history.answered.add(presentation.id);
  return row;
}

function contextOf(survey: Survey, manifest: Manifest): TrialContext {
  return {
    strings: survey.strings,
    settings: manifest.settings,
    hasKeyboardShortcuts: survey.study.policy.keyboard_shortcuts,
    imageSize: (grid) => roomForImages(survey, manifest, grid),
    loadImage: (url) => survey.preloader.take(url),
  };
}

/** Edge of every image of a trial, in CSS pixels, in the window as it is now. */
export function roomForImages({ shell }: Survey, manifest: Manifest, grid: Grid): number {
  const viewport = currentViewport();
  const room = { ...viewport, height: viewport.height - shell.heightAbove };
  return imageSize(manifest.image_px, room, grid, manifest.settings.image_scaling);
}

/** Loads the images of this step and of those that come soon after it. */
export function preload({ preloader }: Survey, steps: readonly Step[], place: number): void {
  const near = steps.slice(place, place + 1 + LOOK_AHEAD);
  preloader.want(near.flatMap((step) => imagesOf(step.presentation)));
}

/** How many are answered of how many: of the round of practice, or of all that is not practice. */
function progress(
  presentations: readonly Presentation[],
  current: Presentation,
  answered: ReadonlySet<string>,
): { done: number; total: number } {
  const among = presentations.filter(
    ({ feedback, block }) => feedback === current.feedback && (!feedback || block === current.block),
  );
  return { done: among.filter(({ id }) => answered.has(id)).length, total: among.length };
}
