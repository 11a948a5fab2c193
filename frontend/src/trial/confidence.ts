import { element } from "./elements";
import { onKey, onlyFreshKeys } from "./input";
import type { CommonTrial } from "./parameters";
import { setPhase } from "./sequence";

export interface Confidence {
  confidence: number | null;
  confidence_rt: number | null;
}

const NOT_ASKED: Confidence = { confidence: null, confidence_rt: null };

/** Asks how sure somebody is of the answer just given; the images give way to the levels. */
export async function askConfidence(root: HTMLElement, trial: CommonTrial): Promise<Confidence> {
  const levels = trial.confidence_levels;
  if (levels === null) return NOT_ASKED;
  const { group, buttons } = scale(levels, trial);
  root.append(group);
  setPhase(root, "confidence");
  group.focus({ preventScroll: true });
  const asked = performance.now();
  const listening = new AbortController();
  return new Promise((resolve) => {
    const finish = (level: number, event: Event): void => {
      listening.abort();
      resolve({ confidence: level, confidence_rt: Math.max(0, Math.round(event.timeStamp - asked)) });
    };
    for (const [place, button] of buttons.entries()) {
      onlyFreshKeys(button, listening.signal);
      button.addEventListener("click", (event) => finish(place + 1, event), { signal: listening.signal });
    }
    if (!trial.keyboard_shortcuts) return;
    const keys = buttons.map((_, place) => [String(place + 1)]);
    onKey(keys, root, listening.signal, (place, event) => finish(place + 1, event));
  });
}

function scale(levels: number, trial: CommonTrial): { group: HTMLElement; buttons: HTMLButtonElement[] } {
  const group = element("div", "iri-trial-confidence");
  const prompt = element("div", "iri-trial-prompt", trial.confidence_prompt);
  prompt.setAttribute("role", "heading");
  prompt.setAttribute("aria-level", "1");
  prompt.id = "iri-trial-confidence";
  group.tabIndex = -1;
  group.setAttribute("role", "group");
  group.setAttribute("aria-labelledby", prompt.id);
  const [low = "", high = ""] = trial.confidence_ends;
  const buttons = Array.from({ length: levels }, (_, place) => {
    const button = element("button", "iri-trial-level", String(place + 1));
    button.type = "button";
    const end = place === 0 ? low : place === levels - 1 ? high : "";
    if (end) button.setAttribute("aria-label", `${place + 1}: ${end}`);
    if (trial.keyboard_shortcuts) button.setAttribute("aria-keyshortcuts", String(place + 1));
    return button;
  });
  const row = element("div", "iri-trial-levels");
  row.append(...buttons);
  const ends = element("div", "iri-trial-ends");
  ends.setAttribute("aria-hidden", "true");
  ends.append(element("span", "", low), element("span", "", high));
  group.append(prompt, row, ends);
  return { group, buttons };
}
