import type { Input } from "./parameters";

/** A click made with Enter, Space or an assistive technology names no pointer and counts no clicks. */
export function inputOf(event: MouseEvent): Input {
  const pointer = "pointerType" in event ? event.pointerType : "";
  if (pointer === "touch" || pointer === "pen") return "touch";
  return pointer === "mouse" || event.detail > 0 ? "mouse" : "key";
}

/**
 * Calls `take` with the place of the pressed key in `keys`: not for held-down keys, not while the browser's own
 * are meant or something is typed, and not once `root` has left the page.
 */
export function onKey(
  keys: readonly (readonly string[])[],
  root: HTMLElement,
  signal: AbortSignal,
  take: (place: number, event: KeyboardEvent) => void,
): void {
  const listen = (event: KeyboardEvent): void => {
    if (!root.isConnected || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target instanceof Element && event.target.closest("input, select, textarea, dialog")) return;
    const pressed = event.key.toLowerCase();
    const place = keys.findIndex((names) => names.some((name) => name.toLowerCase() === pressed));
    if (place < 0) return;
    event.preventDefault();
    take(place, event);
  };
  // Captured, since jsPsych's simulated keys do not bubble.
  document.addEventListener("keydown", listen, { capture: true, signal });
}

/** Enter held down on a button clicks it again and again: only the first counts. */
export function onlyFreshKeys(button: HTMLElement, signal: AbortSignal): void {
  button.addEventListener("keydown", (event) => event.repeat && event.preventDefault(), { signal });
}
