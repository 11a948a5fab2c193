"""Every page of a survey in every format: nothing for axe-core to find, and a keyboard is enough for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.accessibility import violations
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)

SHOTS = os.environ.get("SCREENSHOTS", "")
QUESTIONS = [
    {"name": "age", "kind": "number", "label": "Your age", "minimum": 18, "is_required": True},
    {"name": "words", "kind": "long_text", "label": "What did you notice?"},
    {"name": "pets", "kind": "choices", "label": "Pets", "choices": "Dog\nCat"},
    {"name": "sure", "kind": "scale", "label": "How hard was it?", "minimum": 1, "maximum": 7},
]
LABELS = ["cat", "dog", "owl"]
STUDIES: dict[str, dict[str, Any]] = {
    "two_afc": {"n": 2, "n_practice": 1, "practice_pass": 1, "break_every": 2, "questions": QUESTIONS},
    "matching": {"n": 3, "condition": {"format": "matching", "n_options": 3}, "confidence_levels": 6},
    "classification": {
        "n": 3,
        "condition": {"format": "classification", "n_options": 3},
        "labels": LABELS,
        "keyboard_shortcuts": False,
    },
    "odd_one_out": {"n": 1, "condition": {"format": "odd_one_out", "n_options": 3}},
}


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n_catch": 1, "completion_code": "CODE", "refusal_code": "NO"}
    return surveys.open_studies(**{name: {**common, **one} for name, one in STUDIES.items()})


@pytest.fixture
def narrow(surveys: SurveySite, browser: Browser) -> Iterator[Page]:
    """320 CSS pixels wide, which is also a desk of 1280 at 400 %."""
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url,
        viewport={"width": 320, "height": 640},
        reduced_motion="reduce",
    )
    yield context.new_page()
    context.close()


def check(page: Page, name: str, seen: dict[str, str]) -> None:
    """The page as it stands has nothing to find and fits the window's width."""
    if name in seen:
        return
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"a11y-{name}.png")
    assert violations(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
    seen[name] = page.locator("body").inner_text()


def press_until(page: Page, wanted: str, key: str = "Tab") -> None:
    """Move the focus by key until it is on what the selector names."""
    for _ in range(25):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the focus never came to {wanted}")


def answer_by_keyboard(page: Page) -> None:
    """Nothing but Tab, arrows, Enter and letters."""
    format = page.locator(".iri-trial").get_attribute("data-format")
    if format == "matching":
        for key in ("1", "2", "3", "Enter"):
            page.keyboard.press(key)
        expect(page.locator(".iri-trial-confidence")).to_be_visible()
    elif format == "odd-one-out":
        page.keyboard.press("2")
    else:  # with shortcuts or without
        press_until(page, ".iri-trial-option")
        page.keyboard.press("Enter")


def one_step(page: Page, name: str, seen: dict[str, str]) -> bool:
    """Look at the page that is there and go on by keyboard; false at the end."""
    if page.locator("[data-testid=completion-code]").count():
        check(page, f"{name}-end", seen)
        return False
    if page.locator(".iri-trial-confidence").count():
        check(page, f"{name}-confidence", seen)
        page.keyboard.press("4")
        page.wait_for_selector(".iri-trial-confidence", state="detached")
    elif page.locator(".iri-trial[data-phase=shown]").count():
        expect(page.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
        check(page, f"{name}-trial", seen)
        trial = page.locator(".iri-trial").element_handle()
        assert trial is not None
        answer_by_keyboard(page)
        if not page.locator(".iri-trial-confidence").count():
            trial.wait_for_element_state("hidden")
    elif page.locator(".questionnaire").count():
        check(page, f"{name}-questionnaire", seen)
        if not page.locator("input").first.input_value():
            press_until(page, ".iri-page-button.is-main")
            page.keyboard.press("Enter")
            expect(page.get_by_text("This needs an answer.")).to_be_visible()
            check(page, f"{name}-questionnaire-refused", seen)
            page.keyboard.type("40")
        press_until(page, ".iri-page-button.is-main")
        page.keyboard.press("Enter")
        page.wait_for_selector(".questionnaire", state="detached")
    elif page.locator(".iri-page-button.is-main").count():
        heading = page.locator("h1").inner_text()
        check(page, f"{name}-{heading.lower().replace(' ', '-')[:30]}", seen)
        page.keyboard.press("Enter")
        expect(page.locator("h1", has_text=heading)).to_have_count(0)
    else:
        page.wait_for_timeout(50)
    return True


@pytest.mark.parametrize("name", STUDIES)
def test_a_keyboard_is_enough_and_axe_finds_nothing(name: str, studies: dict[str, str], narrow: Page) -> None:
    seen: dict[str, str] = {}
    narrow.goto(studies[name])
    expect(narrow.locator("h1")).to_be_visible()
    for _ in range(400):
        if not one_step(narrow, name, seen):
            break
    assert f"{name}-end" in seen, sorted(seen)
    assert f"{name}-trial" in seen


def test_the_last_page_of_those_who_decline_has_nothing_to_find(
    studies: dict[str, str], narrow: Page
) -> None:
    narrow.goto(studies["two_afc"])
    narrow.get_by_role("button", name="Start").press("Enter")
    narrow.get_by_role("button", name="I do not agree").press("Enter")
    expect(narrow.get_by_test_id("completion-code")).to_have_text("NO")
    assert violations(narrow) == []


def test_the_page_for_withdrawing_has_nothing_to_find_and_a_keyboard_is_enough(
    studies: dict[str, str], narrow: Page
) -> None:
    narrow.goto(studies["odd_one_out"])
    seen: dict[str, str] = {}
    while one_step(narrow, "withdrawing", seen):
        pass
    address = narrow.locator(".withdraw a").get_attribute("href")
    assert address
    narrow.goto(address)
    check(narrow, "withdrawing-asks", seen)
    press_until(narrow, ".iri-page-button.is-main")
    narrow.keyboard.press("Enter")
    expect(narrow.get_by_role("heading", name="You have withdrawn")).to_be_visible()
    check(narrow, "withdrawing-done", seen)
    narrow.goto(studies["odd_one_out"])
    expect(narrow.get_by_role("heading", name="You have withdrawn")).to_be_visible()
    check(narrow, "withdrawing-return", seen)


def test_right_to_left_mirrors_the_page_and_leaves_left_and_right_of_a_trial(
    studies: dict[str, str], narrow: Page
) -> None:
    narrow.goto(studies["odd_one_out"])
    narrow.get_by_role("button", name="Start").press("Enter")
    narrow.get_by_role("button", name="I agree").press("Enter")
    expect(narrow.get_by_role("heading", name="What to do")).to_be_visible()
    narrow.evaluate("document.documentElement.dir = 'rtl'")
    seen: dict[str, str] = {}
    check(narrow, "right-to-left-instructions", seen)
    narrow.get_by_role("button", name="Continue").press("Enter")
    expect(narrow.locator(".iri-trial[data-phase=shown]")).to_be_visible()
    places = narrow.locator(".iri-trial-option").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().left)"
    )
    assert places == sorted(places)
    check(narrow, "right-to-left-trial", seen)
