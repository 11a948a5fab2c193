"""Every page of a survey in every format: nothing for axe-core to find, and a keyboard is enough for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.accessibility import NARROW, ZOOMED, check
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)

QUESTIONS = [
    {"name": "age", "kind": "number", "label": "Your age", "minimum": 18, "is_required": True},
    {"name": "words", "kind": "long_text", "label": "What did you notice?"},
    {"name": "pets", "kind": "choices", "label": "Pets", "choices": "Dog\nCat"},
    {"name": "sure", "kind": "scale", "label": "How hard was it?", "minimum": 1, "maximum": 7},
]
LABELS = ["cat", "dog", "owl"]
STUDIES: dict[str, dict[str, Any]] = {
    "two_afc": {"n": 2, "n_practice": 1, "practice_pass": 1, "break_every": 2, "questions": QUESTIONS},
    "matching": {
        "n": 6,
        "trials_per_participant": 1,
        "condition": {"format": "matching", "n_options": 3},
        "confidence_levels": 6,
    },
    "classification": {
        "n": 3,
        "condition": {"format": "classification", "n_options": 3},
        "labels": LABELS,
        "keyboard_shortcuts": False,
    },
    "odd_one_out": {
        "n": 2,
        "trials_per_participant": 1,
        "condition": {"format": "odd_one_out", "n_options": 3},
    },
}


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n_catch": 1, "completion_code": "CODE", "refusal_code": "NO"}
    return surveys.open_studies("axe", **{name: {**common, **one} for name, one in STUDIES.items()})


@pytest.fixture(params=["narrow", "zoomed"])
def page(request: pytest.FixtureRequest, surveys: SurveySite, browser: Browser) -> Iterator[Page]:
    """A small window of somebody who wants less motion."""
    size = NARROW if request.param == "narrow" else ZOOMED
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url,
        viewport={"width": size["width"], "height": size["height"]},
        device_scale_factor=2,
        reduced_motion="reduce",
    )
    yield context.new_page()
    context.close()


def look(page: Page, name: str, seen: set[str]) -> None:
    if name not in seen:
        check(page, name)
        seen.add(name)


def press_until(page: Page, wanted: str, key: str = "Tab") -> None:
    """Move the focus by key until it is on what the selector names."""
    for _ in range(25):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the focus never came to {wanted}")


def answer_by_keyboard(page: Page, name: str, seen: set[str]) -> None:
    """Nothing but Tab, arrows, Enter and letters."""
    format = page.locator(".iri-trial").get_attribute("data-format")
    if format == "matching":
        for key in ("1", "2", "3"):
            page.keyboard.press(key)
        look(page, f"{name}-matched", seen)
        page.keyboard.press("Enter")
        expect(page.locator(".iri-trial-confidence")).to_be_visible()
    elif format == "odd-one-out":
        page.keyboard.press("2")
    else:  # with shortcuts or without
        press_until(page, ".iri-trial-option")
        page.keyboard.press("Enter")


def one_step(page: Page, name: str, seen: set[str]) -> bool:
    """Look at the page that is there and go on by keyboard; false at the end."""
    if page.locator("[data-testid=completion-code]").count():
        look(page, f"{name}-end", seen)
        return False
    if page.locator(".iri-trial-confidence").count():
        look(page, f"{name}-confidence", seen)
        page.keyboard.press("4")
        page.wait_for_selector(".iri-trial-confidence", state="detached")
    elif page.locator(".iri-trial[data-phase=shown]").count():
        expect(page.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
        look(page, f"{name}-trial", seen)
        trial = page.locator(".iri-trial").element_handle()
        assert trial is not None
        answer_by_keyboard(page, name, seen)
        if not page.locator(".iri-trial-confidence").count():
            trial.wait_for_element_state("hidden")
    elif page.locator(".questionnaire").count():
        look(page, f"{name}-questionnaire", seen)
        if not page.locator("input").first.input_value():
            press_until(page, ".iri-page-button.is-main")
            page.keyboard.press("Enter")
            expect(page.get_by_text("This needs an answer.")).to_be_visible()
            look(page, f"{name}-questionnaire-refused", seen)
            page.keyboard.type("40")
        press_until(page, ".iri-page-button.is-main")
        page.keyboard.press("Enter")
        page.wait_for_selector(".questionnaire", state="detached")
    elif page.locator(".iri-page-button.is-main").count():
        heading = page.locator("h1").inner_text()
        look(page, f"{name}-{heading.lower().replace(' ', '-')[:30]}", seen)
        page.keyboard.press("Enter")
        expect(page.locator("h1", has_text=heading)).to_have_count(0)
    else:
        page.wait_for_timeout(50)
    return True


@pytest.mark.parametrize("name", STUDIES)
def test_a_keyboard_is_enough_and_axe_finds_nothing(name: str, studies: dict[str, str], page: Page) -> None:
    seen: set[str] = set()
    page.goto(studies[name])
    expect(page.locator("h1")).to_be_visible()
    for _ in range(400):
        if not one_step(page, name, seen):
            break
    assert f"{name}-end" in seen, sorted(seen)
    assert f"{name}-trial" in seen


def test_the_last_page_of_those_who_decline_has_nothing_to_find(studies: dict[str, str], page: Page) -> None:
    page.goto(studies["two_afc"])
    page.get_by_role("button", name="Start").press("Enter")
    page.get_by_role("button", name="I do not agree").press("Enter")
    expect(page.get_by_test_id("completion-code")).to_have_text("NO")
    check(page, "declined")


def test_the_page_for_withdrawing_has_nothing_to_find_and_a_keyboard_is_enough(
    studies: dict[str, str], page: Page
) -> None:
    page.goto(studies["odd_one_out"])
    seen: set[str] = set()
    while one_step(page, "withdrawing", seen):
        pass
    address = page.locator(".withdraw a").get_attribute("href")
    assert address
    page.goto(address)
    look(page, "withdrawing-asks", seen)
    press_until(page, ".iri-page-button.is-main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="You have withdrawn")).to_be_visible()
    look(page, "withdrawing-done", seen)
    page.goto(studies["odd_one_out"])
    expect(page.get_by_role("heading", name="You have withdrawn")).to_be_visible()
    look(page, "withdrawing-return", seen)
