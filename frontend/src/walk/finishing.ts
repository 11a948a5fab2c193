import { type FinishReply, isTemporary, type Manifest, type SessionApi, type SessionStatus } from "../api";
import { downloadButton } from "../download";
import { element } from "../html";
import * as pages from "../pages";
import type { Answers } from "../questionnaire";
import { persist } from "../transport/backoff";
import type { Outbox } from "../transport/outbox";
import { answersOf, openOutbox } from "./session-log";
import type { Survey } from "./survey";

/** When saving at the end takes longer than this, the answers are offered as a file. */
const OFFER_FILE_MS = 20_000;

type Reached = Extract<FinishReply, { complete: true }>;

export async function askQuestionnaire(survey: Survey, log: Outbox, { questions }: Manifest): Promise<void> {
  survey.shell.hideProgress();
  const onAnswers = (answers: Answers): void => {
    log.append("questionnaire", { answers });
  };
  const page = pages.questionnairePage(questions, survey.strings, onAnswers);
  await survey.page(log, "questionnaire", page);
}

/** Waits until the server has everything; gives its verdict: complete, or what it still wants answered. */
export async function finish({ stage, strings }: Survey, api: SessionApi, log: Outbox): Promise<FinishReply> {
  let reply: FinishReply | null = null;
  const finished = async (): Promise<void> => {
    for (;;) {
      await log.settled();
      reply = await persist(() => api.finish(log.lastSeq), isTemporary);
      if (reply.complete || reply.missing_seqs.length === 0) return;
      await log.resend(reply.missing_seqs);
    }
  };
  const help = element("div", { class: "iri-page-buttons" });
  const offer = setTimeout(() => {
    help.append(downloadButton(strings.download, answersOf(api, log)));
  }, OFFER_FILE_MS);
  await stage.show(pages.savingPage(strings, finished, help));
  clearTimeout(offer);
  return reply as unknown as FinishReply;
}

/** Everything is saved: nothing of it stays in the browser, and the participant gets what was promised. */
export async function complete(survey: Survey, end: Reached, session: string): Promise<void> {
  await survey.store.forgetEntries(session);
  survey.shell.announce(survey.strings.saved);
  return survey.done(end);
}

/** Whoever passed in no round of practice. */
export async function screenOut(survey: Survey, api: SessionApi, log: Outbox): Promise<void> {
  await log.settled();
  const status = await persist(() => api.status(), isTemporary);
  return failed(survey, status);
}

/** The last page of whoever passed in no round of practice. */
export function failed(survey: Survey, status: SessionStatus): Promise<void> {
  const { strings, study } = survey;
  const text = pages.told(study.texts.practice_failed, strings.practiceFailedText);
  return survey.stopped(strings.practiceFailedTitle, text, status, "practice_failed");
}

/** The last page of whoever came with a phone that the study does not take. */
export function refused(survey: Survey, status: SessionStatus): Promise<void> {
  const { strings, study } = survey;
  const text = pages.told(study.texts.phone_refused, strings.mobileBlock);
  return survey.stopped(strings.mobileTitle, text, status, "phone_refused");
}

/** Somebody who was away for too long: what this browser still holds is sent, and may be all that was missing. */
export async function sendTheRest(survey: Survey, api: SessionApi, status: SessionStatus): Promise<void> {
  const { strings } = survey;
  const { session_id: session, withdraw_url } = status;
  const log = await openOutbox(survey, api, session);
  survey.log = log;
  const end = await finish(survey, api, log);
  if (end.complete) return complete(survey, end, session);
  const { withdrawTitle, withdrawText } = strings;
  const more = withdraw_url ? [pages.withdrawNote(withdrawTitle, withdrawText, withdraw_url)] : [];
  survey.end(strings.endedTitle, strings.endedText, ...more);
}
