import type { Presentation, SessionApi, SessionStatus, Study } from "./api";
import { deviceFacts } from "./device";
import { richText } from "./html";
import { remainingSteps, type Step } from "./order";
import * as pages from "./pages";
import { Practice } from "./practice";
import type { LogStore } from "./transport/store";
import { gridOf } from "./trials";
import { type Asking, askTrials, preload, roomForImages, taskOf } from "./walk/asking";
import { askConsent } from "./walk/consent";
import { enter } from "./walk/entrance";
import {
  askQuestionnaire,
  complete,
  failed,
  finish,
  refused,
  screenOut,
  sendTheRest,
} from "./walk/finishing";
import { historyOf, noteInterruptions } from "./walk/history";
import { isOfAnotherToken, showMoved } from "./walk/moved";
import { openLog } from "./walk/session-log";
import { Survey } from "./walk/survey";
import { holdThisTab } from "./walk/take-over";

/** One participant's walk through a study: welcome, consent, instructions, trials, debrief. */
export class SurveySession {
  readonly #survey: Survey;

  constructor(app: HTMLElement, study: Study, store: LogStore, search: string) {
    this.#survey = new Survey(app, study, store, search);
  }

  async run(): Promise<void> {
    const survey = this.#survey;
    if (survey.link.mode === "preview") survey.shell.showPreviewNote();
    const entered = await enter(survey);
    if (!entered) return;
    survey.entered = entered;
    survey.noteWithdrawal(entered.status.withdraw_url);
    try {
      await this.#goOn(entered.api, entered.status);
    } catch (error) {
      if (!isOfAnotherToken(error)) throw error;
      await showMoved(survey, entered.api, survey.log);
    }
  }

  async #goOn(api: SessionApi, status: SessionStatus): Promise<void> {
    const survey = this.#survey;
    const { strings } = survey;
    const { texts } = survey.study;
    switch (status.state) {
      case "created":
        return this.#consent(api);
      case "consented":
      case "running":
        return this.#answer(api, status.state === "running");
      case "finished":
        return survey.done(status);
      case "refused":
        return survey.stopped(strings.refusedTitle, richText(texts.refused), status, "declined");
      case "screened_out":
        return status.screened_out_by === "device" ? refused(survey, status) : failed(survey, status);
      case "dropped":
        return sendTheRest(survey, api, status);
      case "withdrawn":
        survey.end(strings.withdrawnTitle, strings.withdrawnText);
    }
  }

  async #consent(api: SessionApi): Promise<void> {
    const survey = this.#survey;
    const decided = await askConsent(survey, api);
    survey.noteWithdrawal(decided.withdraw_url);
    if (decided.state !== "refused") return this.#answer(api, false);
    const text = richText(survey.study.texts.refused);
    return survey.stopped(survey.strings.refusedTitle, text, decided, "declined");
  }

  /** Instructions, trials, and the end; `isRunning`: the session had come so far before. */
  async #answer(api: SessionApi, isRunning: boolean): Promise<void> {
    const survey = this.#survey;
    const manifest = await survey.reach(() => api.manifest());
    await holdThisTab(survey, manifest.session_id, () => survey.log?.stop());
    const log = await openLog(survey, api, manifest);
    survey.log = log;
    survey.noteHelp();
    const kept = await log.entries();
    const history = historyOf(manifest, kept);
    noteInterruptions(log, history, kept);
    const practice = new Practice(manifest.presentations, manifest.settings.pass_mark);
    let steps = remainingSteps(manifest.presentations, history.answered, history.interrupted);
    if (steps.length > 0) await this.#introduce({ log, manifest, steps, history, practice }, isRunning);
    let isQuestionnaireOpen =
      manifest.questionnaire_open && !kept.some(({ kind }) => kind === "questionnaire");
    for (;;) {
      await askTrials(survey, { log, manifest, steps, history, practice });
      if (practice.standing === "failed") return screenOut(survey, api, log);
      if (isQuestionnaireOpen) await askQuestionnaire(survey, log, manifest);
      const end = await finish(survey, api, log);
      if (end.complete) return complete(survey, end, manifest.session_id);
      isQuestionnaireOpen = end.questionnaire_open;
      for (const id of end.unanswered) history.answered.delete(id);
      steps = askedAgain(manifest.presentations, new Set(end.unanswered));
    }
  }

  /** The device's facts, and the pages before the first trial that is left. */
  async #introduce(asking: Asking, isRunning: boolean): Promise<void> {
    const survey = this.#survey;
    const { study, strings } = survey;
    const { log, manifest, steps, history, practice } = asking;
    const [{ presentation: next }] = steps as [Step];
    preload(survey, steps, 0);
    const size = roomForImages(survey, manifest, gridOf(next));
    log.append("device", deviceFacts(size, manifest.image_px), true);
    const asked = taskOf(manifest);
    if (isRunning) await survey.page(log, "welcome_back", pages.welcomeBackPage(strings));
    if (!isRunning || history.answered.size === 0) {
      await survey.page(log, "instructions", pages.instructionsPage(study, strings, asked));
    }
    if (next.feedback && practice.isNeeded(next)) {
      await survey.page(log, "practice", pages.practicePage(study, strings));
    }
  }
}

/** The steps to what the server lacks, whatever it said of these before. */
function askedAgain(presentations: readonly Presentation[], unanswered: ReadonlySet<string>): Step[] {
  const open = presentations.filter(({ id }) => unanswered.has(id));
  return remainingSteps(
    open.map((presentation) => ({ ...presentation, answered: false })),
    new Set(),
    new Set(),
  );
}
