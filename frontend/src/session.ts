import {
  ApiError,
  type CreatedSession,
  createSession,
  type Ending,
  type FinishReply,
  getStudy,
  isTemporary,
  type Manifest,
  type Presentation,
  SessionApi,
  type SessionStatus,
  type Study,
} from "./api";
import { deviceFacts, isSmallTouchDevice } from "./device";
import { type AnswerFile, downloadButton } from "./download";
import { element } from "./html";
import { setDocumentLanguage, stringsFor } from "./i18n";
import type { Strings } from "./i18n/strings";
import { currentViewport, type Grid, imageSize } from "./layout";
import { isMturkPreview, readLink, type SurveyLink, sessionKey } from "./link";
import { remainingSteps, type Step } from "./order";
import * as pages from "./pages";
import { Practice } from "./practice";
import { ImagePreloader } from "./preload";
import type { Answers } from "./questionnaire";
import { Shell } from "./shell";
import { type Row, Stage } from "./stage";
import { holdTab } from "./tab-lock";
import { onFullscreenLeft } from "./timing/fullscreen";
import { persist } from "./transport/backoff";
import { Outbox } from "./transport/outbox";
import type { LogStore, StoredEntry } from "./transport/store";
import {
  announcement,
  describeTrial,
  gridOf,
  imagesOf,
  responsePayload,
  type TrialContext,
  type TrialRow,
} from "./trials";

/** So many trials ahead of the one on the screen are loaded and decoded. */
const LOOK_AHEAD = 4;
/** A verdict on a practice answer that takes longer is waited for on a page that says so. */
const FEEDBACK_QUIET_MS = 1_000;
/** Where nothing hangs on the verdict, it is not waited for longer. */
const FEEDBACK_WAIT_MS = 10_000;
/** When saving at the end takes longer than this, the answers are offered as a file. */
const OFFER_FILE_MS = 20_000;

/** Refusals that mean that the address is not the one that the participant was given. */
const LINK_FAULTS = new Set([
  "invalid_recruiter_id",
  "invalid_submit_address",
  "link_used",
  "no_preview",
  "recruiter_id_missing",
  "submission_taken",
  "unknown_link",
  "wrong_recruiter_study",
]);

/** What asking the trials that are left needs to know. */
interface Asking {
  log: Outbox;
  manifest: Manifest;
  steps: readonly Step[];
  answered: Set<string>;
  /** By presentation: how often it was started. */
  attempts: Map<string, number>;
  practice: Practice;
}

type Reached = Extract<FinishReply, { complete: true }>;
type Decided = Awaited<ReturnType<SessionApi["consent"]>>;

/** One participant's walk through a study: welcome, consent, instructions, trials, debrief. */
export class SurveySession {
  readonly #shell: Shell;
  readonly #stage: Stage;
  readonly #link: SurveyLink;
  readonly #key: string;
  readonly #language: string;
  readonly #strings: Strings;
  readonly #preloader = new ImagePreloader();

  constructor(
    app: HTMLElement,
    private study: Study,
    private readonly store: LogStore,
    search: string,
  ) {
    this.#link = readLink(search);
    this.#key = sessionKey(study.slug, this.#link);
    this.#language = study.language;
    this.#strings = stringsFor(this.#language);
    setDocumentLanguage(this.#language, this.#strings);
    document.title = study.title;
    this.#shell = new Shell(app, this.#strings);
    this.#stage = new Stage(this.#shell.stage);
  }

  async run(): Promise<void> {
    if (this.#link.mode === "preview") this.#shell.showPreviewNote();
    const resumed = await this.#resume();
    if (resumed) return this.#goOn(resumed.api, resumed.status);
    const created = await this.#welcome();
    if (!created) return;
    const api = new SessionApi(created.token);
    await this.store.keepSession({ key: this.#key, token: created.token, session: created.session_id });
    // A recruiter's id that is known already gives its session back, wherever that stands.
    return this.#goOn(api, await persist(() => api.status(), isTemporary));
  }

  /** The session that this browser kept, if the server still knows it. */
  async #resume(): Promise<{ api: SessionApi; status: SessionStatus } | null> {
    const kept = await this.store.session(this.#key);
    if (!kept) return null;
    const api = new SessionApi(kept.token);
    try {
      const status = await persist(
        () => api.status(),
        isTemporary,
        () => this.#showOffline(),
      );
      this.#shell.showNotice();
      // Colleagues pilot a study many times from one browser.
      const isOver = ["finished", "refused", "screened_out"].includes(status.state);
      const mayTryAgain = status.screened_out_by === "device" && !this.#isRefusedDevice();
      if (!(isOver && this.#link.mode !== "real") && !mayTryAgain) return { api, status };
    } catch (error) {
      if (!(error instanceof ApiError && [401, 403, 404].includes(error.status))) throw error;
    }
    await this.store.forgetSession(this.#key);
    return null;
  }

  /** The welcome page; the click on its button makes the session. Null: there is no way in. */
  async #welcome(): Promise<CreatedSession | null> {
    const { study } = this;
    const strings = this.#strings;
    if (!study.accepting) {
      const text = study.status === "paused" ? strings.pausedText : strings.closedText;
      return this.#end(strings.closedTitle, text);
    }
    if (isMturkPreview(this.#link)) return this.#end(study.title, strings.mturkPreviewText);
    if (study.full && this.#link.mode === "real") return this.#end(strings.refusedTitle, strings.fullText);
    if (this.#isRefusedDevice()) return this.#refuseDevice();
    let created: CreatedSession | null = null;
    const start = async (): Promise<string | null> => {
      try {
        created = await this.#create();
        return null;
      } catch (error) {
        return this.#explain(error);
      }
    };
    const notice = study.policy.mobile === "warn" && isSmallTouchDevice() ? strings.mobileWarn : null;
    const onLanguage = (language: string): void => this.#switchLanguage(language);
    await this.#stage.show(pages.welcomePage(study, strings, this.#language, onLanguage, notice, start));
    return created;
  }

  #create(): Promise<CreatedSession> {
    const { mode, recruitment } = this.#link;
    return createSession({
      study: this.study.slug,
      mode,
      language: this.#language,
      recruitment,
      is_small_touch_device: isSmallTouchDevice(),
    });
  }

  #isRefusedDevice(): boolean {
    return this.study.policy.mobile === "block" && isSmallTouchDevice();
  }

  /** There is nothing to click: the server is told, so that refused devices are counted. Null where it made none. */
  async #refuseDevice(): Promise<CreatedSession | null> {
    try {
      return await persist(
        () => this.#create(),
        isTemporary,
        () => this.#showOffline(),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.#end(this.#strings.mobileTitle, this.#strings.mobileBlock);
    } finally {
      this.#shell.showNotice();
    }
  }

  async #goOn(api: SessionApi, status: SessionStatus): Promise<void> {
    const strings = this.#strings;
    const { texts } = this.study;
    switch (status.state) {
      case "created":
        return this.#consent(api, null);
      case "consented":
      case "running":
        return this.#answer(api, status.state === "running");
      case "finished":
        return this.#last(strings.debriefTitle, texts.debrief, status);
      case "refused":
        return this.#last(strings.refusedTitle, texts.refused, status);
      case "screened_out":
        return status.screened_out_by === "device"
          ? this.#last(strings.mobileTitle, strings.mobileBlock, status)
          : this.#last(strings.refusedTitle, strings.screenedOutText, status);
      case "dropped":
        return this.#sendTheRest(api, status);
      case "withdrawn":
        this.#end(strings.withdrawnTitle, strings.withdrawnText);
    }
  }

  async #consent(api: SessionApi, note: string | null): Promise<void> {
    let outcome: Decided | "changed" | null = null;
    const decide = async (button: number): Promise<string | null> => {
      try {
        outcome = await api.consent(button === 0, this.study.consent_version);
        return null;
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "consent_changed")) return this.#explain(error);
        this.study = await persist(
          () => getStudy(this.study.slug, this.#language, this.#link.ticket),
          isTemporary,
        );
        outcome = "changed";
        return null;
      }
    };
    await this.#stage.show(pages.consentPage(this.study, this.#strings, note, decide));
    const decided = outcome as Decided | "changed" | null;
    if (decided === "changed") return this.#consent(api, this.#strings.consentChanged);
    if (decided?.state === "refused") {
      return this.#last(this.#strings.refusedTitle, this.study.texts.refused, decided);
    }
    return this.#answer(api, false);
  }

  /** Instructions, trials, and the end; `isRunning`: the session had come so far before. */
  async #answer(api: SessionApi, isRunning: boolean): Promise<void> {
    const manifest = await persist(
      () => api.manifest(),
      isTemporary,
      () => this.#showOffline(),
    );
    this.#shell.showNotice();
    if (!(await this.#holdThisTab(manifest.session_id))) return;
    const log = await this.#openLog(api, manifest);
    const kept = await log.entries();
    const answered = new Set(presentationsIn(kept, "response"));
    for (const presentation of manifest.presentations)
      if (presentation.answered) answered.add(presentation.id);
    const interrupted = new Set(presentationsIn(kept, "event").filter((id) => !answered.has(id)));
    for (const presentation of interrupted) {
      if (lastEvent(kept, presentation) !== "trial_started") continue;
      log.append("event", { event: "trial_interrupted", presentation }, true);
    }
    const practice = new Practice(manifest.presentations, manifest.settings.pass_mark);
    let steps = remainingSteps(manifest.presentations, answered, interrupted);
    this.#preload(steps, 0);
    const next = steps[0]?.presentation;
    if (next)
      log.append("device", deviceFacts(this.#imageSize(manifest, gridOf(next)), manifest.image_px), true);
    const formats = new Set(manifest.presentations.map(({ format }) => format));
    const first = isRunning
      ? pages.welcomeBackPage(this.#strings)
      : pages.instructionsPage(this.study, this.#strings, formats);
    if (steps.length > 0) await this.#page(log, isRunning ? "welcome_back" : "instructions", first);
    if (isRunning && answered.size === 0 && steps.length > 0) {
      await this.#page(log, "instructions", pages.instructionsPage(this.study, this.#strings, formats));
    }
    if (next?.feedback && practice.isNeeded(next)) {
      await this.#page(log, "practice", pages.practicePage(this.#strings));
    }
    const attempts = startedCounts(kept);
    let isQuestionnaireOpen =
      manifest.questionnaire_open && !kept.some(({ kind }) => kind === "questionnaire");
    for (;;) {
      await this.#ask({ log, manifest, steps, answered, attempts, practice });
      if (practice.standing === "failed") return this.#screenedOut(api, log);
      if (isQuestionnaireOpen) await this.#questionnaire(log, manifest);
      const end = await this.#finish(api, log);
      if (end.complete) return this.#complete(end, manifest.session_id);
      isQuestionnaireOpen = end.questionnaire_open;
      const unanswered = new Set(end.unanswered);
      for (const id of unanswered) answered.delete(id);
      steps = remainingSteps(
        manifest.presentations.filter((presentation) => unanswered.has(presentation.id)),
        new Set(),
        new Set(),
      ).map((step) => ({ ...step, presentation: { ...step.presentation, answered: false } }));
    }
  }

  async #ask({ log, manifest, steps, answered, attempts, practice }: Asking): Promise<void> {
    const context: TrialContext = {
      strings: this.#strings,
      settings: manifest.settings,
      hasKeyboardShortcuts: this.study.policy.keyboard_shortcuts,
      imageSize: (grid) => this.#imageSize(manifest, grid),
      loadImage: (url) => this.#preloader.take(url),
    };
    await this.#awaitVerdicts(log, manifest, answered, practice);
    let late = "";
    for (const [place, { presentation, breakBefore }] of steps.entries()) {
      if (practice.standing === "failed") return;
      if (!practice.isNeeded(presentation)) continue;
      const { done, total } = progress(manifest.presentations, presentation, answered);
      this.#shell.showProgress(done, total);
      if (breakBefore) await this.#page(log, "break", pages.breakPage(this.#strings));
      this.#preload(steps, place);
      this.#shell.announce(`${late} ${announcement(this.#strings, done + 1, total)}`.trim());
      const attempt = (attempts.get(presentation.id) ?? 0) + 1;
      attempts.set(presentation.id, attempt);
      log.append("event", { event: "trial_started", presentation: presentation.id, attempt }, true);
      const data = await this.#stage.show<TrialRow>(describeTrial(presentation, context));
      log.append("response", responsePayload(presentation, data, attempt));
      answered.add(presentation.id);
      // Said together with what comes next, which would cut it short; also on its own, if a page comes next.
      late = data.timed_out ? this.#strings.timedOut : "";
      if (late) this.#shell.announce(late);
      if (presentation.feedback) await this.#practise(log, presentation, practice);
    }
    const last = steps.at(-1)?.presentation;
    if (!last) return;
    const { total } = progress(manifest.presentations, last, answered);
    this.#shell.showProgress(total, total);
  }

  /** Practice answers from before a reload whose verdicts are still to come. */
  async #awaitVerdicts(
    log: Outbox,
    manifest: Manifest,
    answered: ReadonlySet<string>,
    practice: Practice,
  ): Promise<void> {
    for (const { id, feedback, correct, answered: isStored } of manifest.presentations) {
      if (!feedback || correct !== null || isStored || !answered.has(id)) continue;
      practice.record(id, await this.#verdict(log, id, practice));
    }
  }

  async #practise(log: Outbox, presentation: Presentation, practice: Practice): Promise<void> {
    const isCorrect = await this.#verdict(log, presentation.id, practice);
    practice.record(presentation.id, isCorrect);
    const strings = this.#strings;
    if (isCorrect !== null) await this.#page(log, "feedback", pages.feedbackPage(strings, isCorrect));
    if (!practice.isOver(presentation.block)) return;
    if (practice.standing === "passed") {
      await this.#page(log, "practice_over", pages.practiceOverPage(strings));
    } else if (practice.standing === "open") {
      const formats = new Set([presentation.format]);
      await this.#page(log, "practice_again", pages.practiceAgainPage(this.study, strings, formats));
    }
  }

  /** The server's word on a practice answer; null where none came in time and nothing hangs on it. */
  async #verdict(log: Outbox, presentation: string, practice: Practice): Promise<boolean | null> {
    const verdict = log.feedback(presentation);
    const soon = await Promise.race([verdict, after(FEEDBACK_QUIET_MS)]);
    if (soon !== null) return soon;
    const waited = practice.passMark > 0 ? verdict : Promise.race([verdict, after(FEEDBACK_WAIT_MS)]);
    await this.#stage.show(pages.savingPage(this.#strings, () => waited, element("div", {})));
    return waited;
  }

  async #questionnaire(log: Outbox, { questions }: Manifest): Promise<void> {
    this.#shell.hideProgress();
    const onAnswers = (answers: Answers): void => {
      log.append("questionnaire", { answers });
    };
    await this.#page(log, "questionnaire", pages.questionnairePage(questions, this.#strings, onAnswers));
  }

  /** Somebody who was away for too long: what this browser still holds is sent, and may be all that was missing. */
  async #sendTheRest(api: SessionApi, { session_id: session, withdraw_url }: SessionStatus): Promise<void> {
    const log = await Outbox.open(this.store, session, (entries, keepalive) => api.log(entries, keepalive));
    const end = await this.#finish(api, log);
    if (end.complete) return this.#complete(end, session);
    const more = withdraw_url ? [pages.withdrawNote(this.#strings, withdraw_url)] : [];
    this.#end(this.#strings.endedTitle, this.#strings.endedText, ...more);
  }

  async #screenedOut(api: SessionApi, log: Outbox): Promise<void> {
    await log.settled();
    const status = await persist(() => api.status(), isTemporary);
    const strings = this.#strings;
    return this.#last(strings.refusedTitle, strings.screenedOutText, status);
  }

  /** Waits until the server has everything; gives its verdict: complete, or what it still wants answered. */
  async #finish(api: SessionApi, log: Outbox): Promise<FinishReply> {
    let reply: FinishReply | null = null;
    const finish = async (): Promise<void> => {
      for (;;) {
        await log.settled();
        reply = await persist(() => api.finish(log.lastSeq), isTemporary);
        if (reply.complete || reply.missing_seqs.length === 0) return;
        await log.resend(reply.missing_seqs);
      }
    };
    const help = element("div", { class: "iri-page-buttons" });
    const offer = setTimeout(() => {
      help.append(downloadButton(this.#strings.download, answersOf(api, log)));
    }, OFFER_FILE_MS);
    await this.#stage.show(pages.savingPage(this.#strings, finish, help));
    clearTimeout(offer);
    return reply as unknown as FinishReply;
  }

  async #complete(end: Reached, session: string): Promise<void> {
    await this.store.forgetEntries(session);
    this.#shell.announce(this.#strings.saved);
    return this.#last(this.#strings.debriefTitle, this.study.texts.debrief, end);
  }

  async #last(title: string, text: string, ending: Ending): Promise<void> {
    this.#shell.hideProgress();
    await this.#stage.show(pages.lastPage(title, text, this.#strings, ending));
  }

  async #page(log: Outbox, name: string, description: Parameters<Stage["show"]>[0]): Promise<void> {
    const { rt, time_elapsed } = await this.#stage.show<{ rt: number } & Row>(description);
    log.append("page", { page: name, duration_ms: rt, time_elapsed }, true);
  }

  async #openLog(api: SessionApi, manifest: Manifest): Promise<Outbox> {
    const log = await Outbox.open(this.store, manifest.session_id, (entries, keepalive) =>
      api.log(entries, keepalive),
    );
    log.continueFrom(manifest.next_seq);
    let said: Error | null = null;
    log.onChange(() => {
      const state = log.state;
      this.#shell.showSaving(state);
      if (state.refusal === said) return;
      said = state.refusal;
      this.#showRefusal(api, log, state.refusal);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) log.flushOnHide();
    });
    window.addEventListener("pagehide", () => log.flushOnHide());
    window.addEventListener("beforeunload", (event) => {
      // What the browser's database holds survives; only without one is leaving a loss.
      if (!this.store.isDurable && log.state.waiting > 0) event.preventDefault();
    });
    onFullscreenLeft(() => log.append("event", { event: "fullscreen_left", at_ms: performance.now() }, true));
    this.#onTakenOver = () => log.stop();
    if (!this.store.isDurable) this.#shell.showNotice(element("p", {}, this.#strings.storageText));
    return log;
  }

  #onTakenOver: () => void = () => undefined;

  async #holdThisTab(session: string): Promise<boolean> {
    const name = `irisurvey-${session}`;
    const leave = (): void => {
      this.#onTakenOver();
      this.#showOtherTab(() => window.location.reload());
    };
    if (await holdTab(name, leave)) return true;
    return new Promise((resolve) => {
      this.#showOtherTab(async () => {
        await holdTab(name, leave, true);
        resolve(true);
      });
    });
  }

  #showOtherTab(onUse: () => void): void {
    const strings = this.#strings;
    const use = element("button", { type: "button", class: "iri-page-button is-main" }, strings.useThisTab);
    use.addEventListener("click", () => {
      this.#shell.restoreStage();
      onUse();
    });
    const buttons = element("div", { class: "iri-page-buttons" }, use);
    this.#shell.replaceStage(strings.otherTabTitle, strings.otherTabText, buttons);
  }

  #showRefusal(api: SessionApi, log: Outbox, refusal: Error | null): void {
    const strings = this.#strings;
    if (!refusal) {
      this.#shell.showNotice();
      return;
    }
    const again = element("button", { type: "button", class: "iri-page-button" }, strings.tryAgain);
    again.addEventListener("click", () => log.retry());
    this.#shell.showNotice(
      element("h2", {}, strings.conflictTitle),
      element("p", {}, strings.conflictText),
      element(
        "div",
        { class: "iri-page-buttons" },
        downloadButton(strings.download, answersOf(api, log)),
        again,
      ),
      element("p", { class: "technical" }, `${strings.technical}: ${refusal.message}`),
    );
  }

  #showOffline(): void {
    this.#shell.showNotice(element("p", {}, this.#strings.offlineRetry));
  }

  /** What to say under a button whose request failed. */
  #explain(error: unknown): string {
    if (isTemporary(error)) return this.#strings.offlineRetry;
    if (error instanceof ApiError && error.code === "study_closed") return this.#strings.closedText;
    if (error instanceof ApiError && error.code === "quota_full") return this.#strings.fullText;
    if (error instanceof ApiError && error.code === "took_part_already") return this.#strings.alreadyText;
    if (error instanceof ApiError && LINK_FAULTS.has(error.code)) return this.#strings.linkText;
    if (error instanceof ApiError) return error.detail || error.code;
    throw error;
  }

  #end(title: string, text: string, ...more: Node[]): null {
    this.#shell.replaceStage(title, text, ...more);
    return null;
  }

  #switchLanguage(language: string): void {
    const address = new URL(window.location.href);
    address.searchParams.set("lang", language);
    window.location.assign(address);
  }

  #imageSize(manifest: Manifest, grid: Grid): number {
    const viewport = currentViewport();
    const room = { ...viewport, height: viewport.height - this.#shell.heightAbove };
    return imageSize(manifest.image_px, room, grid, manifest.settings.image_scaling);
  }

  #preload(steps: readonly Step[], place: number): void {
    const near = steps.slice(place, place + 1 + LOOK_AHEAD);
    this.#preloader.want(near.flatMap((step) => imagesOf(step.presentation)));
  }
}

function presentationsIn(entries: readonly StoredEntry[], kind: StoredEntry["kind"]): string[] {
  return entries.flatMap(({ kind: found, payload }) =>
    found === kind && typeof payload.presentation === "string" ? [payload.presentation] : [],
  );
}

function lastEvent(entries: readonly StoredEntry[], presentation: string): unknown {
  const events = entries.filter(
    ({ kind, payload }) => kind === "event" && payload.presentation === presentation,
  );
  return events.at(-1)?.payload.event;
}

function startedCounts(entries: readonly StoredEntry[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind, payload } of entries) {
    if (kind !== "event" || payload.event !== "trial_started") continue;
    const presentation = String(payload.presentation);
    counts.set(presentation, (counts.get(presentation) ?? 0) + 1);
  }
  return counts;
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

function after(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), ms));
}

function answersOf(api: SessionApi, log: Outbox): AnswerFile {
  return { session: log.session, token: api.token, entries: () => log.entries() };
}
