"""Images that are gone after a few frames: what can be chosen stays, for a mouse, a finger and a keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.accessibility import violations
from tests.e2e.participant import Participant
from tests.e2e.survey import SurveySite
from tests.e2e.test_formats import DESK, PHONE

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)

LABELS = ["cat", "dog", "owl", "ant"]
FORMATS: dict[str, dict[str, Any]] = {
    "two_afc": {},
    "classification": {"condition": {"format": "classification", "n_options": 4}, "labels": LABELS},
    "odd_one_out": {"condition": {"format": "odd_one_out", "n_options": 3}},
    "matching": {"condition": {"format": "matching", "n_options": 3}, "n": 6},
}
FIRST = {"reference_ms": 200, "mask_ms": 100}
STUDIES = {
    **{name: {"image_frames": 2, **one} for name, one in FORMATS.items()},
    **{
        f"{name}_first": {"image_frames": 2, **FORMATS[name], **FIRST}
        for name in ("two_afc", "classification")
    },
}
SHORTCUTS = {
    f"{name}_{keys}": {**one, "keyboard_shortcuts": keys == "on"}
    for name, one in FORMATS.items()
    for keys in ("on", "off")
}


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n": 4, "n_catch": 0, "completion_code": "CODE"}
    return surveys.open_studies(
        "brief", **{name: {**common, **one} for name, one in (STUDIES | SHORTCUTS).items()}
    )


@pytest.fixture(params=["desk", "phone"])
def person(request: pytest.FixtureRequest, surveys: SurveySite, browser: Browser) -> Iterator[Participant]:
    how = DESK if request.param == "desk" else PHONE
    context = browser.new_context(base_url=surveys.lab.servers.public_url, **how)
    yield Participant(context.new_page())
    context.close()


def point(page: Page, selector: str, place: int) -> None:
    target = page.locator(selector).nth(place)
    expect(target).to_be_visible()
    if page.evaluate("navigator.maxTouchPoints > 0"):
        target.tap()
    else:
        target.click()


@pytest.mark.parametrize("name", STUDIES)
def test_what_can_be_chosen_stays_once_the_images_are_gone(
    name: str, person: Participant, studies: dict[str, str]
) -> None:
    page = person.page
    person.begin(studies[name])
    gone = page.locator(".iri-trial[data-phase=hidden]")
    for by in ("pointer", "key", "tab")[: 1 if name == "matching" else 3]:
        expect(gone).to_be_visible()
        expect(gone.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
        expect(gone.locator(".iri-trial-image img").first).to_be_hidden()
        if name.startswith("classification"):
            assert sorted(gone.locator(".iri-trial-label").all_inner_texts()) == sorted(LABELS)
        trial = page.locator(".iri-trial").element_handle()
        assert trial is not None
        if name == "matching":
            match_everything(page)
        elif by == "pointer":
            point(page, ".iri-trial-option", 1)
        elif by == "key":
            page.keyboard.press("1")
        else:
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
        trial.wait_for_element_state("hidden")
    expect(gone).to_be_visible()
    expect(gone.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
    assert violations(page) == []
    if name == "matching":
        match_everything(page)
    else:
        point(page, ".iri-trial-option", 0)
    assert person.read_code() == "CODE"


def match_everything(page: Page) -> None:
    for place in range(3):
        point(page, ".iri-matching-references button", place)
        point(page, ".iri-matching-options button", place)
    box = page.locator(".iri-matching-references button").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 60, steps=3)
    expect(page.locator(".iri-matching-ghost img")).to_be_hidden()  # dragging shows nothing again
    page.mouse.up()
    point(page, ".iri-matching-confirm", 0)


@pytest.mark.parametrize("name", SHORTCUTS)
def test_axe_finds_nothing_in_a_trial_with_shortcuts_or_without(
    name: str, person: Participant, studies: dict[str, str]
) -> None:
    person.begin(studies[name])
    expect(person.page.locator(".iri-trial[data-phase=shown]")).to_be_visible()
    expect(person.page.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
    assert violations(person.page) == []
