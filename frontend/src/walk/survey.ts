import { type Ending, isTemporary, type Study } from "../api";
import { element, richText } from "../html";
import { setDocumentLanguage, stringsFor } from "../i18n";
import type { Strings } from "../i18n/strings";
import { readLink, type SurveyLink, sessionKey } from "../link";
import * as pages from "../pages";
import { ImagePreloader } from "../preload";
import { Shell } from "../shell";
import { type Row, Stage } from "../stage";
import { persist } from "../transport/backoff";
import type { Outbox } from "../transport/outbox";
import type { LogStore } from "../transport/store";
import { contactLine } from "./contact";
import type { Entered } from "./entrance";
import { hasHelp, openHelp } from "./help";

/** The page that every step of a walk stands on: the study, where things are shown, what is kept. */
export class Survey {
  readonly shell: Shell;
  readonly stage: Stage;
  readonly link: SurveyLink;
  /** Under which the browser keeps the session. */
  readonly key: string;
  readonly strings: Strings;
  readonly preloader = new ImagePreloader();
  /** The session, once there is one. */
  entered: Entered | null = null;
  /** Its log, once it takes one. */
  log: Outbox | null = null;
  /** The participant's own address for taking the answers back, once they have consented. */
  withdrawUrl: string | null = null;
  /** Nothing more is asked. */
  isOver = false;

  constructor(
    app: HTMLElement,
    public study: Study,
    readonly store: LogStore,
    search: string,
  ) {
    this.link = readLink(search);
    this.key = sessionKey(study.slug, this.link);
    this.strings = stringsFor(study.language);
    setDocumentLanguage(study.language, this.strings);
    document.title = study.title;
    this.shell = new Shell(app, this.strings);
    this.stage = new Stage(this.shell.stage);
    this.shell.onHelp(() => openHelp(this));
    this.noteHelp();
  }

  /** Whether the session's log takes entries: from the consent on, also after the end. */
  get takesReports(): boolean {
    if (this.log) return true;
    const status = this.entered?.status;
    if (!status) return false;
    const states = ["consented", "running", "finished", "dropped"];
    return states.includes(status.state) || status.screened_out_by === "practice";
  }

  /** Shows the way to help where there is some. */
  noteHelp(): void {
    this.shell.showHelp(hasHelp(this));
  }

  /** What the participant may take back from now on. */
  noteWithdrawal(address: string | null): void {
    this.withdrawUrl = address;
    this.noteHelp();
  }

  /** Asks the server until it answers, and says so while it is away. */
  async reach<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await persist(call, isTemporary, (failures) => {
        // Once: a screen reader would say it again with every try.
        if (failures === 1) this.shell.showNotice(element("p", {}, this.strings.offlineRetry));
      });
    } finally {
      this.shell.showNotice();
    }
  }

  /** Shows a page of the session, and logs how long it was looked at. */
  async page(log: Outbox, name: string, description: Parameters<Stage["show"]>[0]): Promise<void> {
    const { rt, time_elapsed } = await this.stage.show<{ rt: number } & Row>(description);
    log.append("page", { page: name, duration_ms: rt, time_elapsed }, true);
  }

  /** The last page of whoever finished, with what the participant takes back. */
  done(ending: Ending): Promise<void> {
    return this.stopped(this.strings.debriefTitle, richText(this.study.texts.debrief), ending, "done");
  }

  /** The last page of whoever did not come to the end of the study. */
  async stopped(title: string, text: HTMLElement, ending: Ending, outcome: pages.Outcome): Promise<void> {
    this.isOver = true;
    this.shell.hideProgress();
    this.noteWithdrawal(ending.withdraw_url);
    await this.stage.show(pages.lastPage(title, text, this.study, this.strings, ending, outcome));
  }

  /** An end without a session, or after it. */
  end(title: string, text: string | HTMLElement, ...more: Node[]): null {
    const contact = contactLine(this.strings, this.study.contact);
    this.shell.replaceStage(title, text, ...more, ...(contact ? [contact] : []));
    return null;
  }
}
