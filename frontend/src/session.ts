import {
  ApiError,
  type CreatedSession,
  createSession,
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
import { downloadButton } from "./download";
import { element } from "./html";
import { fill, stringsFor } from "./i18n";
import type { Strings } from "./i18n/strings";
import { currentViewport, imageSize } from "./layout";
import { readLink, type SurveyLink, sessionKey } from "./link";
import { remainingSteps, type Step } from "./order";
import * as pages from "./pages";
import type { TwoAfcData } from "./plugins/iri-two-afc";
import { ImagePreloader } from "./preload";
import { Shell } from "./shell";
import { type Row, Stage } from "./stage";
import { holdTab } from "./tab-lock";
import { persist } from "./transport/backoff";
import { Outbox } from "./transport/outbox";
import type { LogStore, StoredEntry } from "./transport/store";
import { describeTrial, imagesOf, responsePayload, type TrialContext } from "./trials";

/** So many trials ahead of the one on the screen are loaded and decoded. */
const LOOK_AHEAD = 4;
const FEEDBACK_WAIT_MS = 10_000;
/** When saving at the end takes longer than this, the answers are offered as a file. */
const OFFER_FILE_MS = 20_000;

type Reached = Extract<FinishReply, { complete: true }>;

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
    document.documentElement.lang = this.#language;
    document.documentElement.dir = this.#strings.direction;
    document.title = study.title;
    this.#shell = new Shell(app, this.#strings);
    this.#stage = new Stage(this.#shell.stage);
  }

  async run(): Promise<void> {
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
      const isOver = ["finished", "refused"].includes(status.state);
      if (!(isOver && this.#link.mode === "pilot")) return { api, status };
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
    const isSmall = study.policy.mobile !== "allow" && isSmallTouchDevice();
    if (isSmall && study.policy.mobile === "block") {
      return this.#end(strings.mobileTitle, strings.mobileBlock);
    }
    let created: CreatedSession | null = null;
    const start = async (): Promise<string | null> => {
      try {
        const { mode, recruitment } = this.#link;
        created = await createSession({ study: study.slug, mode, language: this.#language, recruitment });
        return null;
      } catch (error) {
        return this.#explain(error);
      }
    };
    const notice = isSmall ? strings.mobileWarn : null;
    const onLanguage = (language: string): void => this.#switchLanguage(language);
    await this.#stage.show(pages.welcomePage(study, strings, this.#language, onLanguage, notice, start));
    return created;
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
        return this.#last(strings.debriefTitle, texts.debrief, status.completion_code, null);
      case "refused":
        return this.#last(strings.refusedTitle, texts.refused, status.completion_code, null);
      case "screened_out":
        return this.#last(strings.refusedTitle, strings.screenedOutText, status.completion_code, null);
      case "dropped":
      case "withdrawn":
        this.#end(strings.endedTitle, strings.endedText);
    }
  }

  async #consent(api: SessionApi, note: string | null): Promise<void> {
    let outcome: { state: string; completion_code: string | null } | "changed" | null = null;
    const decide = async (button: number): Promise<string | null> => {
      try {
        outcome = await api.consent(button === 0, this.study.consent_version);
        return null;
      } catch (error) {
        if (!(error instanceof ApiError && error.code === "consent_changed")) return this.#explain(error);
        this.study = await persist(() => getStudy(this.study.slug), isTemporary);
        outcome = "changed";
        return null;
      }
    };
    await this.#stage.show(pages.consentPage(this.study, this.#strings, note, decide));
    const decided = outcome as { state: string; completion_code: string | null } | "changed" | null;
    if (decided === "changed") return this.#consent(api, this.#strings.consentChanged);
    if (decided?.state === "refused") {
      return this.#last(this.#strings.refusedTitle, this.study.texts.refused, decided.completion_code, null);
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
    let steps = remainingSteps(manifest.presentations, answered, interrupted);
    this.#preload(steps, 0);
    log.append("device", deviceFacts(this.#imageSize(manifest), manifest.image_px), true);
    const first = isRunning
      ? pages.welcomeBackPage(this.#strings)
      : pages.instructionsPage(this.study, this.#strings);
    if (steps.length > 0) await this.#page(log, isRunning ? "welcome_back" : "instructions", first);
    if (isRunning && answered.size === 0 && steps.length > 0) {
      await this.#page(log, "instructions", pages.instructionsPage(this.study, this.#strings));
    }
    for (;;) {
      await this.#ask(log, manifest, steps, answered);
      const end = await this.#finish(api, log);
      if (end.complete) return this.#complete(end, manifest.session_id);
      const unanswered = new Set(end.unanswered);
      for (const id of unanswered) answered.delete(id);
      steps = remainingSteps(
        manifest.presentations.filter((presentation) => unanswered.has(presentation.id)),
        new Set(),
        new Set(),
      ).map((step) => ({ ...step, presentation: { ...step.presentation, answered: false } }));
    }
  }

  async #ask(log: Outbox, manifest: Manifest, steps: readonly Step[], answered: Set<string>): Promise<void> {
    const total = manifest.presentations.length;
    const context: TrialContext = {
      strings: this.#strings,
      settings: manifest.settings,
      hasKeyboardShortcuts: this.study.policy.keyboard_shortcuts,
      imageSize: () => this.#imageSize(manifest),
      loadImage: (url) => this.#preloader.take(url),
    };
    for (const [place, { presentation, breakBefore }] of steps.entries()) {
      this.#shell.showProgress(answered.size, total);
      if (breakBefore) await this.#page(log, "break", pages.breakPage(this.#strings));
      this.#preload(steps, place);
      const words = { n: answered.size + 1, total, prompt: this.#strings.prompt };
      this.#shell.announce(fill(this.#strings.trialAnnouncement, words));
      log.append("event", { event: "trial_started", presentation: presentation.id }, true);
      const data = await this.#stage.show<TwoAfcData>(describeTrial(presentation, context));
      log.append("response", responsePayload(presentation, data));
      answered.add(presentation.id);
      if (data.timed_out) this.#shell.announce(this.#strings.timedOut);
      if (presentation.feedback) await this.#feedback(log, presentation);
    }
    this.#shell.showProgress(answered.size, total);
  }

  async #feedback(log: Outbox, presentation: Presentation): Promise<void> {
    const isCorrect = await log.feedback(presentation.id, FEEDBACK_WAIT_MS);
    if (isCorrect !== null) await this.#page(log, "feedback", pages.feedbackPage(this.#strings, isCorrect));
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
      help.append(downloadButton(this.#strings.download, log.session, () => log.entries()));
    }, OFFER_FILE_MS);
    await this.#stage.show(pages.savingPage(this.#strings, finish, help));
    clearTimeout(offer);
    return reply as unknown as FinishReply;
  }

  async #complete(end: Reached, session: string): Promise<void> {
    await this.store.forgetEntries(session);
    this.#shell.announce(this.#strings.saved);
    return this.#last(
      this.#strings.debriefTitle,
      this.study.texts.debrief,
      end.completion_code,
      end.redirect_url,
    );
  }

  async #last(title: string, text: string, code: string | null, redirect: string | null): Promise<void> {
    this.#shell.hideProgress();
    await this.#stage.show(pages.lastPage(title, text, this.#strings, code, redirect));
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
      this.#showRefusal(log, state.refusal);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) log.flushOnHide();
    });
    window.addEventListener("pagehide", () => log.flushOnHide());
    window.addEventListener("beforeunload", (event) => {
      // What the browser's database holds survives; only without one is leaving a loss.
      if (!this.store.isDurable && log.state.waiting > 0) event.preventDefault();
    });
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
    this.#shell.replaceStage(strings.otherTabTitle, strings.otherTabText, use);
  }

  #showRefusal(log: Outbox, refusal: Error | null): void {
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
        downloadButton(strings.download, log.session, () => log.entries()),
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
    if (error instanceof ApiError) return error.detail || error.code;
    throw error;
  }

  #end(title: string, text: string): null {
    this.#shell.replaceStage(title, text);
    return null;
  }

  #switchLanguage(language: string): void {
    const address = new URL(window.location.href);
    address.searchParams.set("lang", language);
    window.location.assign(address);
  }

  #imageSize(manifest: Manifest): number {
    return imageSize(manifest.image_px, currentViewport());
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
