import { type Ending, isTemporary, type Study } from "../api";
import { element } from "../html";
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

/** The page that every step of a walk stands on: the study, where things are shown, what is kept. */
export class Survey {
  readonly shell: Shell;
  readonly stage: Stage;
  readonly link: SurveyLink;
  /** Under which the browser keeps the session. */
  readonly key: string;
  readonly strings: Strings;
  readonly preloader = new ImagePreloader();

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
    return this.#last(this.strings.debriefTitle, this.study.texts.debrief, ending, true);
  }

  /** The last page of whoever did not come to the end of the study. */
  stopped(title: string, text: string, ending: Ending): Promise<void> {
    return this.#last(title, text, ending, false);
  }

  async #last(title: string, text: string, ending: Ending, isDone: boolean): Promise<void> {
    this.shell.hideProgress();
    await this.stage.show(pages.lastPage(title, text, this.strings, ending, isDone));
  }

  /** An end without a session, or after it. */
  end(title: string, text: string, ...more: Node[]): null {
    this.shell.replaceStage(title, text, ...more);
    return null;
  }
}
