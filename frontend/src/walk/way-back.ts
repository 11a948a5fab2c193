import { element } from "../html";
import { fill } from "../i18n";
import type { Strings } from "../i18n/strings";

/** Long enough to read the page's first lines; whoever wants more time stays. */
export const SECONDS_TO_PROLIFIC = 10;

/**
 * The way back to Prolific: by itself after a visible countdown, at once by its link, or not until the participant
 * says so. The seconds are not read out one by one.
 */
export function wayToProlific(
  strings: Strings,
  address: string,
  go: (address: string) => void = (to) => window.location.assign(to),
): HTMLElement {
  const said = element("p", { role: "status" });
  const count = element("p", { role: "timer" });
  const now = element("a", { class: "button-link", href: address }, strings.prolificNow);
  const stay = element("button", { type: "button", class: "iri-page-button" }, strings.stay);
  const buttons = element("div", { class: "iri-page-buttons" }, now, stay);
  const box = element("section", { class: "way-back" }, count, said, buttons);
  let left = SECONDS_TO_PROLIFIC;
  const show = (): void => {
    count.textContent = fill(strings.prolificCountdown, { n: left });
  };
  show();
  const timer = setInterval(() => {
    if (!box.isConnected) return clearInterval(timer);
    left -= 1;
    if (left > 0) return show();
    clearInterval(timer);
    return go(address);
  }, 1_000);
  stay.addEventListener("click", () => {
    clearInterval(timer);
    count.remove();
    stay.remove();
    said.textContent = strings.stayed;
    now.focus();
  });
  now.addEventListener("click", () => clearInterval(timer));
  return box;
}
