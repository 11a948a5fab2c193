import { describe, expect, it, vi } from "vitest";
import { isFullscreen, onFullscreenLeft } from "../src/timing/fullscreen";

/** A screen that the page fills or not, by a request of its own or by the browser's key. */
function screen(): { fill: (by: "request" | "key" | null) => void } {
  let filledBy: "request" | "key" | null = null;
  const element = document.createElement("div");
  vi.spyOn(document, "fullscreenElement", "get").mockImplementation(() =>
    filledBy === "request" ? element : null,
  );
  window.matchMedia = (query: string) =>
    ({ matches: query === "(display-mode: fullscreen)" && filledBy === "key" }) as MediaQueryList;
  return {
    fill: (by) => {
      const wasRequest = filledBy === "request";
      filledBy = by;
      if (by === "request" || wasRequest) document.dispatchEvent(new Event("fullscreenchange"));
      window.dispatchEvent(new Event("resize"));
    },
  };
}

describe("leaving the full screen", () => {
  Object.defineProperty(document, "fullscreenElement", { configurable: true, get: () => null });

  it("is reported once each time, however the page filled the screen", () => {
    const { fill } = screen();
    const report = vi.fn();
    onFullscreenLeft(report);
    fill("request");
    expect(isFullscreen()).toBe(true);
    expect(report).not.toHaveBeenCalled();
    fill(null);
    expect(report).toHaveBeenCalledTimes(1);
    fill("key");
    expect(isFullscreen()).toBe(true);
    fill(null);
    expect(report).toHaveBeenCalledTimes(2);
  });

  it("is not reported of a window that only changes its size", () => {
    const { fill } = screen();
    const report = vi.fn();
    onFullscreenLeft(report);
    fill(null);
    expect(report).not.toHaveBeenCalled();
  });
});
