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
    offerThisTab(survey, () => window.location.reload());
  };
  if (await holdTab(name, leave)) return;
  await new Promise<void>((resolve) => offerThisTab(survey, resolve));
  await holdTab(name, leave, true);
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
