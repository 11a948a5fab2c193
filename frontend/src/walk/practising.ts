import type { Manifest, Presentation } from "../api";
import { element } from "../html";
import * as pages from "../pages";
import type { Practice } from "../practice";
import type { Outbox } from "../transport/outbox";
import type { Asking } from "./asking";
import type { Survey } from "./survey";

/** A verdict on a practice answer that takes longer is waited for on a page that says so. */
const FEEDBACK_QUIET_MS = 1_000;
/** Where nothing hangs on the verdict, it is not waited for longer. */
const FEEDBACK_WAIT_MS = 10_000;

/** Takes in practice answers from before a reload whose verdicts are still to come. */
export async function awaitVerdicts(
  survey: Survey,
  log: Outbox,
  { presentations }: Manifest,
  answered: ReadonlySet<string>,
  practice: Practice,
): Promise<void> {
  for (const { id, feedback, correct, answered: isStored } of presentations) {
    if (!feedback || correct !== null || isStored || !answered.has(id)) continue;
    practice.record(id, await verdict(survey, log, id, practice));
  }
}

/** Says whether the practice answer just given was right, and at the end of a round what comes of it. */
export async function giveFeedback(
  survey: Survey,
  { log, manifest, practice }: Asking,
  presentation: Presentation,
): Promise<void> {
  const { strings } = survey;
  const isCorrect = await verdict(survey, log, presentation.id, practice);
  practice.record(presentation.id, isCorrect);
  if (isCorrect !== null) await survey.page(log, "feedback", pages.feedbackPage(strings, isCorrect));
  if (!practice.isOver(presentation.block)) return;
  if (practice.standing === "passed") {
    await survey.page(log, "practice_over", pages.practiceOverPage(strings));
  } else if (practice.standing === "open") {
    const asked = { formats: new Set([presentation.format]), settings: manifest.settings };
    await survey.page(log, "practice_again", pages.practiceAgainPage(survey.study, strings, asked));
  }
}

/** The server's word on a practice answer; null where none came in time and nothing hangs on it. */
async function verdict(
  { stage, strings }: Survey,
  log: Outbox,
  presentation: string,
  practice: Practice,
): Promise<boolean | null> {
  const word = log.feedback(presentation);
  const soon = await Promise.race([word, after(FEEDBACK_QUIET_MS)]);
  if (soon !== null) return soon;
  const waited = practice.passMark > 0 ? word : Promise.race([word, after(FEEDBACK_WAIT_MS)]);
  await stage.show(pages.savingPage(strings, () => waited, element("div", {})));
  return waited;
}

function after(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms));
}
