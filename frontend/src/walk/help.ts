import { element } from "../html";
import { withdrawNote } from "../pages";
import type { Outbox } from "../transport/outbox";
import { contactLine } from "./contact";
import { openOutbox } from "./session-log";
import type { Survey } from "./survey";

/** A report is at most so long, in characters. */
const LONGEST_REPORT = 2_000;

/** What is in reach on every page: whom to ask, a way to report a problem, and the way out with one's answers. */
export function openHelp(survey: Survey): void {
  const { strings, study } = survey;
  const title = element("h2", { id: "help-title", tabindex: "-1" }, strings.help);
  const dialog = element("dialog", { class: "help iri-page", "aria-labelledby": title.id }, title);
  const contact = contactLine(strings, study.contact);
  if (contact) dialog.append(contact);
  if (survey.takesReports) dialog.append(reportForm(survey));
  if (survey.withdrawUrl)
    dialog.append(withdrawNote(strings.withdrawTitle, strings.withdrawText, survey.withdrawUrl));
  const close = element("button", { type: "button", class: "iri-page-button" }, strings.close);
  close.addEventListener("click", () => dialog.close());
  dialog.append(element("div", { class: "iri-page-buttons" }, close));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  title.focus();
}

/** Whether the dialog would hold anything. */
export function hasHelp(survey: Survey): boolean {
  return survey.study.contact.trim() !== "" || survey.takesReports || survey.withdrawUrl !== null;
}

function reportForm(survey: Survey): HTMLElement {
  const { strings } = survey;
  const text = element("textarea", { id: "report", rows: "4", maxlength: String(LONGEST_REPORT) });
  const send = element("button", { type: "button", class: "iri-page-button" }, strings.send);
  const said = element("p", { role: "status" });
  send.addEventListener("click", async () => {
    const words = text.value.trim().slice(0, LONGEST_REPORT);
    if (!words) {
      said.textContent = strings.answerNeeded;
      text.focus();
      return;
    }
    const log = await logForReports(survey);
    log.append("event", {
      event: "problem_reported",
      text: words,
      page: document.querySelector("h1")?.textContent ?? "",
    });
    text.value = "";
    said.textContent = strings.reportThanks;
    if (survey.isOver) await forgetOnceSent(survey, log);
  });
  return element(
    "section",
    { class: "question" },
    element("h3", {}, strings.reportTitle),
    element("label", { for: text.id }, strings.reportLabel),
    text,
    element("div", {}, send),
    said,
  );
}

/** The session's own log; of one that is over and was opened again, what is left of it goes to the server alone. */
async function logForReports(survey: Survey): Promise<Outbox> {
  if (survey.log) return survey.log;
  const entered = survey.entered;
  if (!entered) throw new Error("There is no session to report a problem of.");
  const log = await openOutbox(survey, entered.api, entered.status.session_id);
  log.continueFrom(entered.status.next_seq);
  survey.log = log;
  return log;
}

/** Nothing of a session that is over stays in the browser. */
async function forgetOnceSent({ store }: Survey, log: Outbox): Promise<void> {
  await log.settled();
  await store.forgetEntries(log.session);
}
