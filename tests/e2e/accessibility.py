"""What may hinder people on a page: what axe-core finds, what is cut off, moves, or no key comes to.

axe-core runs from the repository's own copy, past the page's strict policy.
"""

import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from survey_site.stack.options import BASE_DIR

AXE = Path(BASE_DIR) / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("SCREENSHOTS", "")
# CSS pixels: a desk of 1280 at 400 %, which is also a small phone, and one of 1280 x 900 at 200 %.
NARROW, ZOOMED = {"width": 320, "height": 640}, {"width": 640, "height": 450}
CONTROLS = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page, within: str = "html") -> list[str]:
    """One line per element and rule of WCAG 2.2 A and AA, and of axe's best practices; none is none."""
    page.evaluate(AXE.read_text())  # evaluated, not added as an element: the policy forbids that
    found: dict[str, Any] = page.evaluate(
        "([within, rules]) => axe.run(within, {runOnly: {type: 'tag', values: rules}})", [within, RULES]
    )
    return [
        f"{one['id']}: {node['html']} ({node['failureSummary']})"
        for one in found["violations"]
        for node in one["nodes"]
    ]


# Radio buttons of one name are one stop.
UNREACHED = """controls => [...document.querySelectorAll(controls)]
  .filter(one => one.checkVisibility({visibilityProperty: true}) && !window.reached.has(one))
  .filter(one => one.type !== "radio" || ![...window.reached].some(other => other.name === one.name))
  .map(one => one.outerHTML)"""
# Gives what is wrong with how the focus shows, empty if nothing is.
NOTE_FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  window.reached.add(one);
  if (one.tabIndex < 0 || one === document.body) return "";
  if (style.outlineStyle === "none" && style.boxShadow === "none") return `no focus on ${one.outerHTML}`;
  const isSeen = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  return isSeen ? "" : `${one.outerHTML} has the focus out of sight`;
}"""
MOVING = """() => [...document.querySelectorAll("*")]
  .filter(one => getComputedStyle(one).transitionDuration.split(", ").some(time => parseFloat(time) > 0))
  .map(one => one.outerHTML)"""


def out_of_reach(page: Page) -> list[str]:
    """Controls that Tab does not come to, and those where the focus cannot be seen."""
    page.evaluate("() => { window.before = document.activeElement; window.reached = new Set(); }")
    page.evaluate(NOTE_FOCUS)  # what has it from the start may be further down: reading begins above
    faults = []
    for _ in range(page.locator(CONTROLS).count() + 2):
        page.keyboard.press("Tab")
        faults.append(page.evaluate(NOTE_FOCUS))
    unreached: list[str] = page.evaluate(UNREACHED, CONTROLS)
    page.evaluate("before === document.body ? document.activeElement.blur() : before.focus()")
    return [fault for fault in faults if fault] + unreached


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def check(page: Page, name: str) -> None:
    """The participants' page as it stands, in a window for people who want less motion, hinders nobody."""
    if SHOTS:
        width = (page.viewport_size or NARROW)["width"]
        page.screenshot(path=Path(SHOTS) / f"a11y-{name}-{width}.png")
    found = violations(page)
    assert found == [], f"{name}: {found}"
    assert not is_too_wide(page), f"{name} is too wide"
    assert page.evaluate(MOVING) == [], f"{name} moves"
    unreached = out_of_reach(page)
    assert unreached == [], f"{name}: {unreached}"


def check_at_every_size(page: Page, name: str) -> None:
    for size in (ZOOMED, NARROW):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        check(page, name)
