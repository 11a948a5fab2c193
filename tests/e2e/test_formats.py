"""Every trial format in a real browser, on a desk and on a phone; the stored rows are what was chosen."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.participant import Participant
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e
# Generous: the machine may be busy with other things.
expect.set_options(timeout=30_000)

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 1,
    "is_mobile": True,
    "has_touch": True,
}
FORMATS: dict[str, dict[str, Any]] = {
    "two_afc": {"condition": {}, "n_practice": 1, "practice_pass": 1},
    "masked": {"condition": {"foil_rule": "natural"}, "reference_ms": 200, "mask_ms": 100},
    "matching": {"condition": {"format": "matching", "n_options": 3}, "n": 6, "confidence_levels": 6},
    "classification": {
        "condition": {"format": "classification", "n_options": 4},
        "labels": ["cat", "dog", "owl", "ant"],
        "n": 4,
    },
    "odd_one_out": {"condition": {"format": "odd_one_out", "n_options": 3}, "confidence_levels": 3},
}
SHOTS = os.environ.get("SCREENSHOTS", "")


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    """By format the path of an open study."""
    common = {"n_catch": 1, "completion_code": "CODE"}
    return surveys.open_studies(
        "formats", **{name: {**common, **settings} for name, settings in FORMATS.items()}
    )


@pytest.fixture(params=["desk", "phone"])
def person(request: pytest.FixtureRequest, surveys: SurveySite, browser: Browser) -> Iterator[Participant]:
    how = DESK if request.param == "desk" else PHONE
    context = browser.new_context(base_url=surveys.lab.servers.public_url, **how)
    yield Participant(context.new_page())
    context.close()


def shoot(page: Page, name: str) -> None:
    """A picture to look at, where a folder for them is named."""
    if SHOTS:
        width = (page.viewport_size or {"width": 0})["width"]
        page.screenshot(path=Path(SHOTS) / f"{name}-{width}.png")


def trials(person: Participant) -> Iterator[int]:
    """Trials until the end; each must be answered before the next is taken."""
    shown = person.page.locator(".iri-trial[data-phase=shown]")
    for number in range(30):
        ended = person.heading("Thank you, you are done")
        expect(shown.or_(ended).or_(person.page.get_by_role("button", name="Continue"))).to_be_visible()
        if ended.is_visible():
            return
        if shown.count():
            # Answered clicks come after the guard against double clicks.
            expect(shown.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
            yield number
        else:
            person.press("Continue")
    raise AssertionError("no end after thirty trials and pages")


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def sizes(page: Page) -> set[float]:
    boxes = page.locator(".iri-trial-image").evaluate_all(
        "frames => frames.map(f => f.getBoundingClientRect()).flatMap(b => [b.width, b.height])"
    )
    return set(boxes)


def stored(surveys: SurveySite, slug: str) -> list[tuple[Any, ...]]:
    """Format, reference, shown place of the chosen option, confidence: of the newest session, as answered."""
    rows = surveys.lab.rows(
        """
        SELECT t.format, ref.index, p.option_order, o.index, r.confidence
        FROM participation_response r
        JOIN participation_presentation p ON p.id = r.presentation_id
        JOIN studies_trial t ON t.id = p.trial_id
        JOIN studies_trialreference ref ON ref.id = r.reference_id
        JOIN studies_trialoption o ON o.id = r.option_id
        JOIN participation_logentry e ON e.id = r.entry_id
        WHERE p.session_id = (
            SELECT s.id FROM participation_studysession s JOIN studies_study ON studies_study.id = s.study_id
            WHERE studies_study.slug = %s ORDER BY s.created_at DESC LIMIT 1)
        ORDER BY e.seq, ref.index
        """,
        slug,
    )
    return [
        (format, reference, order.index(chosen), confidence)
        for format, reference, order, chosen, confidence in rows
    ]


def walk(
    person: Participant, surveys: SurveySite, name: str, path: str, answer: Callable[[int], list[Any]]
) -> None:
    """Take the whole study; `answer(number)` answers a trial and says what should be stored of it."""
    expected: list[Any] = []
    person.begin(path)
    for number in trials(person):
        assert fits(person.page), "the trial is wider than the window"
        assert len(sizes(person.page)) <= 1, "images of a trial have one size"
        if number < 3:
            shoot(person.page, name)
        expected += answer(number)
    assert person.read_code() == "CODE"
    assert [row[1:] for row in stored(surveys, path.split("/")[2])] == expected
    assert person.complaints.texts == []


def test_matching_by_clicks_drags_and_keys_with_confidence(
    person: Participant, surveys: SurveySite, studies: dict[str, str]
) -> None:
    page = person.page

    def answer(number: int) -> list[Any]:
        above = page.locator(".iri-matching-references button")
        below = page.locator(".iri-matching-options button")
        chosen = ([2, 0, 1], [0, 1, 2], [1, 2, 0])[number % 3]
        for reference, option in enumerate(chosen):
            if number % 3 == 0:
                above.nth(reference).click()
                below.nth(option).click()
            elif number % 3 == 1:
                above.nth(reference).drag_to(below.nth(option))
            else:
                page.keyboard.press(str(option + 1))
        shoot(page, f"matched-{number % 3}")
        page.get_by_role("button", name="Confirm").click()
        expect(page.locator(".iri-trial-confidence")).to_be_visible()
        shoot(page, "confidence-6")
        page.keyboard.press("5")
        return [(reference, option, 5) for reference, option in enumerate(chosen)]

    walk(person, surveys, "matching", studies["matching"], answer)


def test_odd_one_out_by_click_and_key_with_confidence(
    person: Participant, surveys: SurveySite, studies: dict[str, str]
) -> None:
    page = person.page

    def answer(number: int) -> list[Any]:
        place = number % 3
        if number % 2:
            page.keyboard.press(str(place + 1))
        else:
            page.get_by_role("button", name=f"Image {place + 1}").click()
        page.get_by_role("button", name="1: Guessed").click()
        return [(0, place, 1)]

    walk(person, surveys, "odd_one_out", studies["odd_one_out"], answer)


def test_classification_by_label_and_key(
    person: Participant, surveys: SurveySite, studies: dict[str, str]
) -> None:
    page = person.page

    def answer(number: int) -> list[Any]:
        labels = page.locator(".iri-trial-option .iri-trial-label").all_inner_texts()
        assert sorted(labels) == ["ant", "cat", "dog", "owl"]
        place = number % 4
        if number % 2:
            page.keyboard.press(str(place + 1))
        else:
            page.get_by_role("button", name=labels[place]).click()
        return [(0, place, None)]

    walk(person, surveys, "classification", studies["classification"], answer)


def test_a_reference_shown_first_is_gone_when_the_options_come(
    person: Participant, surveys: SurveySite, studies: dict[str, str]
) -> None:
    page = person.page

    def answer(number: int) -> list[Any]:
        expect(page.locator(".iri-trial-reference img")).to_be_hidden()
        expect(page.locator(".iri-trial-option img").first).to_be_visible()
        person.option(number % 2).click()
        return [(0, number % 2, None)]

    walk(person, surveys, "masked", studies["masked"], answer)


def test_practice_with_feedback_then_the_study(
    person: Participant, surveys: SurveySite, studies: dict[str, str]
) -> None:
    page = person.page

    def answer(number: int) -> list[Any]:
        reference = page.locator(".iri-trial-reference img").evaluate(PIXELS)
        options = page.locator(".iri-trial-option img").evaluate_all(f"all => all.map({PIXELS})")
        place = options.index(reference) if reference in options else 0
        page.keyboard.press(("f", "j")[place])
        return [(0, place, None)]

    walk(person, surveys, "two_afc", studies["two_afc"], answer)


# What an image shows, as text.
PIXELS = """image => {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL();
}"""


def test_the_whole_way_to_the_first_trial_with_nothing_but_enter(
    person: Participant, studies: dict[str, str]
) -> None:
    page = person.page
    page.goto(studies["masked"])
    for heading in ("Which picture looks most alike?", "Your consent", "What to do"):
        expect(person.heading(heading)).to_be_visible()
        page.keyboard.press("Enter")
    expect(page.locator(".iri-trial")).to_be_visible()


def test_on_a_narrow_screen_images_take_the_room_there_is(
    person: Participant, studies: dict[str, str]
) -> None:
    person.begin(studies["two_afc"])
    person.press("Continue")
    expect(person.page.locator(".iri-trial[data-phase=shown]")).to_be_visible()
    assert sizes(person.page) == {161 if person.page.viewport_size == PHONE["viewport"] else 256}
