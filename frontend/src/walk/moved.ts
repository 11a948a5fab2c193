import { ApiError, type SessionApi } from "../api";
import { downloadButton } from "../download";
import { element } from "../html";
import { fill } from "../i18n";
import { namesSomebody } from "../link";
import type { Outbox } from "../transport/outbox";
import { startSession } from "./entrance";
import { explain } from "./refusals";
import { answersOf } from "./session-log";
import type { Survey } from "./survey";

/** The server knows this token no more: the session goes on under another, or its participant has withdrawn. */
export function isOfAnotherToken(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

/**
 * Freezes the page of a session that goes on elsewhere, says so, and offers to take it back where the link names
 * its participant. What this browser still holds goes along then, or can be kept as a file.
 */
export async function showMoved(survey: Survey, api: SessionApi, log: Outbox | null): Promise<void> {
  const { shell, strings } = survey;
  log?.stop();
  shell.showNotice();
  if (await hasWithdrawn(api)) {
    survey.end(strings.withdrawnTitle, strings.withdrawnText);
    return;
  }
  const canTakeBack = namesSomebody(survey.link);
  const buttons = element("div", { class: "iri-page-buttons" });
  const fault = element("p", { class: "iri-page-error", role: "alert" });
  if (canTakeBack) buttons.append(takeBackButton(survey, fault));
  const more: HTMLElement[] = [fault, buttons];
  const waiting = log?.state.waiting ?? 0;
  if (log && waiting > 0) {
    more.unshift(element("p", {}, fill(strings.unsentText, { n: waiting })));
    buttons.append(downloadButton(strings.download, answersOf(api, log)));
  }
  if (canTakeBack) survey.end(strings.movedTitle, strings.movedText, ...more);
  else survey.end(strings.endedTitle, strings.endedText, ...more);
}

async function hasWithdrawn(api: SessionApi): Promise<boolean> {
  try {
    return (await api.status()).state === "withdrawn";
  } catch {
    return false; // what it is now is not for whoever holds this token to know
  }
}

function takeBackButton(survey: Survey, fault: HTMLElement): HTMLElement {
  const label = survey.strings.goOnHere;
  const button = element("button", { type: "button", class: "iri-page-button is-main" }, label);
  button.addEventListener("click", async () => {
    if (button.ariaDisabled === "true") return;
    button.ariaDisabled = "true";
    fault.textContent = "";
    try {
      await startSession(survey);
      window.location.reload();
    } catch (error) {
      fault.textContent = explain(survey, error);
      button.ariaDisabled = "false";
    }
  });
  return button;
}
