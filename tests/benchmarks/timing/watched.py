"""A browser that answers trials by keys at known times, and whose compositor says what was painted."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

# Element Timing says when an image came onto the screen; the page's own code has no part in it.
WATCH = """
window.painted = {};
const Plain = window.Image;
window.Image = function () {
  const image = new Plain();
  image.setAttribute("elementtiming", "stimulus");
  return image;
};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const presentation = entry.url.split("/images/")[1].slice(0, 36);
    window.painted[presentation] = Math.max(window.painted[presentation] ?? 0, entry.renderTime);
  }
}).observe({ type: "element", buffered: true });
"""
PAINTED = "n => Object.keys(window.painted).length >= n ? Object.entries(window.painted).at(-1) : null"
SOONEST_S, LATEST_S = 0.25, 0.8


@dataclass(frozen=True)
class Pressed:
    """Milliseconds of the page's clock: when a trial's images were painted, and when a key was pressed."""

    presentation: str
    painted_ms: float
    pressed_ms: float


def answer_by_key(browser: Browser, address: str, trials: int, *, seed: int) -> list[Pressed]:
    """Take the study at the address to its end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    page.goto(address)
    for button in ("Start", "I agree", "Continue"):
        page.get_by_role("button", name=button, exact=True).click()
    pressed = _press_all(page, trials, random.Random(seed))
    page.get_by_test_id("completion-code").wait_for()
    context.close()
    return pressed


def _press_all(page: Page, trials: int, lot: random.Random) -> list[Pressed]:
    keyboard = page.context.new_cdp_session(page)
    origin = float(page.evaluate("performance.timeOrigin"))
    pressed = []
    for number in range(1, trials + 1):
        presentation, painted = page.wait_for_function(PAINTED, arg=number).json_value()
        time.sleep(lot.uniform(SOONEST_S, LATEST_S))
        key: dict[str, Any] = lot.choice(
            [{"key": "ArrowLeft", "code": "ArrowLeft"}, {"key": "ArrowRight", "code": "ArrowRight"}]
        )
        now = time.time()
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyDown", "timestamp": now, **key})
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
        pressed.append(Pressed(presentation, painted, 1000 * now - origin))
    return pressed
