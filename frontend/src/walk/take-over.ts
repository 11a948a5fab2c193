import { element } from "../html";
import { holdTab } from "../tab-lock";
import type { Survey } from "./survey";

/**
 * Resolves once this tab is the one that runs the session: at once, or when the participant says so. `onLost` is
 * called, and the page frozen, when another tab takes over later.
 */
export async function holdThisTab(survey: Survey, session: string, onLost: () => void): Promise<void> {
  const name = `irisurvey-${session}`;
  const leave = (): void => {
    onLost();
    offerThisTab(survey, () => {
      wish(name);
      window.location.reload();
    });
  };
  if (await holdTab(name, leave, isWished(name))) return;
  await new Promise<void>((resolve) => offerThisTab(survey, resolve));
  await holdTab(name, leave, true);
}

/** The participant chose this tab; the page that comes after the reload need not ask again. */
function wish(name: string): void {
  try {
    sessionStorage.setItem(name, "use");
  } catch {
    // Without storage (a foreign frame) the question is asked again.
  }
}

function isWished(name: string): boolean {
  try {
    const isThere = sessionStorage.getItem(name) !== null;
    sessionStorage.removeItem(name);
    return isThere;
  } catch {
    return false;
  }
}

function offerThisTab({ shell, strings }: Survey, onUse: () => void): void {
  const use = element("button", { type: "button", class: "iri-page-button is-main" }, strings.useThisTab);
  use.addEventListener("click", () => {
    shell.restoreStage();
    onUse();
  });
  const buttons = element("div", { class: "iri-page-buttons" }, use);
  shell.replaceStage(strings.otherTabTitle, strings.otherTabText, buttons);
}
