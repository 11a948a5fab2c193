import { vi } from "vitest";

/** What jsdom lacks of a browser and the page needs. */
export function furnishBrowser(): void {
  HTMLImageElement.prototype.decode = () => Promise.resolve();
  window.matchMedia = (query: string) => ({ matches: false, media: query }) as MediaQueryList;
  HTMLCanvasElement.prototype.getContext = () => null;
  vi.spyOn(document, "hasFocus").mockReturnValue(true);
}

/** Waits for something to become true, checking at every turn of the event loop. */
export async function until<T>(look: () => T | null | undefined | false, withinMs = 20_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = look();
    if (seen) return seen;
    if (performance.now() > deadline)
      throw new Error(`Not within ${withinMs} ms: ${look}\n${document.body.innerHTML}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export function button(name: string): HTMLButtonElement | undefined {
  return [...document.querySelectorAll("button")].find(
    (candidate) => (candidate.getAttribute("aria-label") ?? candidate.textContent) === name,
  );
}

/** A key press on the page as a person makes it. */
export function press(key: string, init: KeyboardEventInit = {}): void {
  document.body.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init }),
  );
}

/**
 * A click with a pointer, now or at a time of one's own; an empty `pointerType` is what Enter on a focused
 * button makes.
 */
export function click(
  target: Element,
  pointerType: "mouse" | "touch" | "pen" | "",
  timeStamp?: number,
): void {
  const event = new MouseEvent("click", { bubbles: true, detail: pointerType ? 1 : 0 });
  if (timeStamp !== undefined) Object.defineProperty(event, "timeStamp", { value: timeStamp });
  Object.defineProperty(event, "pointerType", { value: pointerType });
  target.dispatchEvent(event);
}
