import type { Manifest, SessionApi } from "../api";
import { type AnswerFile, downloadButton } from "../download";
import { element } from "../html";
import { onFullscreenLeft } from "../timing/fullscreen";
import { Outbox } from "../transport/outbox";
import { contactLine } from "./contact";
import { isOfAnotherToken, showMoved } from "./moved";
import type { Survey } from "./survey";

/** The session's log on its way to the server, with its state on the page. */
export async function openLog(survey: Survey, api: SessionApi, manifest: Manifest): Promise<Outbox> {
  const { shell, store, strings } = survey;
  const log = await openOutbox(survey, api, manifest.session_id);
  log.continueFrom(manifest.next_seq);
  let said: Error | null = null;
  log.onChange(() => {
    const state = log.state;
    shell.showSaving(state);
    if (state.refusal === said) return;
    said = state.refusal;
    if (isOfAnotherToken(said)) void showMoved(survey, api, log);
    else showRefusal(survey, api, log, state.refusal);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) log.flushOnHide();
  });
  window.addEventListener("pagehide", () => log.flushOnHide());
  window.addEventListener("beforeunload", (event) => {
    // What the browser's database holds survives; only without one is leaving a loss.
    if (!store.isDurable && log.state.waiting > 0) event.preventDefault();
  });
  onFullscreenLeft(() => log.append("event", { event: "fullscreen_left", at_ms: performance.now() }, true));
  if (!store.isDurable) shell.showNotice(element("p", {}, strings.storageText));
  return log;
}

/** The same without a word on the page, for what is left to send of a session that is over. */
export function openOutbox({ store }: Survey, api: SessionApi, session: string): Promise<Outbox> {
  return Outbox.open(store, session, (entries, keepalive) => api.log(entries, keepalive));
}

/** What `downloadButton` writes into the file. */
export function answersOf(api: SessionApi, log: Outbox): AnswerFile {
  return { session: log.session, token: api.token, entries: () => log.entries() };
}

function showRefusal(
  { shell, strings, study }: Survey,
  api: SessionApi,
  log: Outbox,
  refusal: Error | null,
): void {
  if (!refusal) {
    shell.showNotice();
    return;
  }
  const again = element("button", { type: "button", class: "iri-page-button" }, strings.tryAgain);
  again.addEventListener("click", () => log.retry());
  const file = downloadButton(strings.download, answersOf(api, log));
  const contact = contactLine(strings, study.contact);
  shell.showNotice(
    element("h2", {}, strings.conflictTitle),
    element("p", {}, strings.conflictText),
    ...(contact ? [contact] : []),
    element("div", { class: "iri-page-buttons" }, file, again),
    element("p", { class: "technical" }, `${strings.technical}: ${refusal.message}`),
  );
}
