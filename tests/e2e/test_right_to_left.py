"""Written from right to left, the page mirrors; left and right of a trial stay what they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.accessibility import NARROW, check, check_at_every_size
from tests.e2e.survey import SurveySite
from tests.e2e.test_formats import stored

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)

START, AGREE, CONTINUE, CONFIRM = "ابدأ", "أوافق", "متابعة", "تأكيد"
WITHDRAW = "سحب إجاباتي"
TEXTS = {
    "language": "ar",
    "title": "أي صورة أكثر شبهًا؟",
    "welcome": "شكرًا لاهتمامك. سترى صورًا ونسألك عما تشبهه.",
    "consent": "المشاركة طوعية، ويمكنك التوقف في أي وقت بإغلاق هذه الصفحة.",
    "instructions": "أجب بحسب انطباعك الأول.",
    "debrief": "قارنتَ صورًا صنعها حاسوب بالصور التي صُنعت منها.",
    "refused": "لا بأس. يمكنك إغلاق هذه الصفحة.",
}
STUDIES: dict[str, dict[str, Any]] = {
    "two_afc": {"n": 2},
    "odd_one_out": {
        "n": 2,
        "trials_per_participant": 1,
        "condition": {"format": "odd_one_out", "n_options": 3},
        "confidence_levels": 3,
    },
    "matching": {
        "n": 6,
        "trials_per_participant": 1,
        "condition": {"format": "matching", "n_options": 3},
    },
}


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n_catch": 0, "completion_code": "1-CODE", "texts": TEXTS, "withdrawal": "delete"}
    return surveys.open_studies(**{f"ar_{name}": {**common, **one} for name, one in STUDIES.items()})


@pytest.fixture
def page(surveys: SurveySite, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url,
        viewport={"width": NARROW["width"], "height": NARROW["height"]},
        reduced_motion="reduce",
        locale="ar",
    )
    yield context.new_page()
    context.close()


def press(page: Page, *buttons: str) -> None:
    for name in buttons:
        page.get_by_role("button", name=name, exact=True).press("Enter")


def lefts(page: Page, selector: str) -> list[float]:
    found: list[float] = page.locator(selector).evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().left)"
    )
    return found


def to_trial(page: Page, path: str) -> None:
    page.goto(path)
    press(page, START, AGREE, CONTINUE)
    wait_for_trial(page)


def wait_for_trial(page: Page) -> None:
    expect(page.locator(".iri-trial[data-phase=shown]")).to_be_visible()
    expect(page.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")


def choose(page: Page, key: str) -> None:
    trial = page.locator(".iri-trial").element_handle()
    assert trial is not None
    page.keyboard.press(key)
    trial.wait_for_element_state("hidden")


def test_the_page_is_mirrored(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["ar_two_afc"])
    start = page.get_by_role("button", name=START)
    expect(start).to_be_visible()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    expect(page.locator("html")).to_have_attribute("lang", "ar")
    box, sheet = start.bounding_box(), page.locator(".iri-page").bounding_box()
    assert box
    assert sheet
    assert box["x"] + box["width"] / 2 > sheet["x"] + sheet["width"] / 2, "the button begins at the right"
    check_at_every_size(page, "rtl-welcome")
    press(page, START)
    expect(page.get_by_role("button", name=AGREE, exact=True)).to_be_visible()
    check_at_every_size(page, "rtl-consent")
    press(page, AGREE)
    expect(page.get_by_role("button", name=CONTINUE)).to_be_visible()
    check_at_every_size(page, "rtl-instructions")
    page.set_viewport_size({"width": 320, "height": 640})
    press(page, CONTINUE)
    wait_for_trial(page)
    choose(page, "ArrowLeft")
    wait_for_trial(page)
    fill, track = (page.locator(f".progress-{part}").bounding_box() for part in ("fill", "track"))
    assert fill
    assert track
    assert fill["x"] + fill["width"] == pytest.approx(
        track["x"] + track["width"], abs=1
    )  # it grows leftwards


def test_left_and_right_are_where_the_keys_the_words_and_the_data_say(
    page: Page, surveys: SurveySite, studies: dict[str, str]
) -> None:
    to_trial(page, studies["ar_two_afc"])
    check(page, "rtl-two-afc")
    places = lefts(page, ".iri-trial-option")
    assert places == sorted(places)
    names = page.locator(".iri-trial-option").evaluate_all("all => all.map(one => one.ariaLabel)")
    assert names == ["الصورة اليسرى", "الصورة اليمنى"]
    captions = page.locator(".iri-trial-caption").all_inner_texts()
    assert captions == ["← اليسرى", "اليمنى →"]
    # The arrow is drawn on the side of its image that it points to.
    assert page.locator(".iri-trial-caption").evaluate_all(ARROW_SIDES) == ["left", "right"]
    choose(page, "ArrowLeft")
    wait_for_trial(page)
    page.get_by_role("button", name="الصورة اليمنى").click()
    code = page.get_by_test_id("completion-code")
    expect(code).to_have_text("1-CODE")
    expect(code.locator("bdi")).to_have_css("direction", "ltr")
    check(page, "rtl-end")
    assert [place for _, _, place, _ in stored(surveys, "study-ar-two-afc")] == [0, 1]


# Where in its line the arrow of a caption is, as painted.
ARROW_SIDES = """all => all.map(one => {
  const text = one.firstChild, range = document.createRange();
  const at = [...text.data].findIndex(letter => "←→".includes(letter));
  range.setStart(text, at);
  range.setEnd(text, at + 1);
  const arrow = range.getBoundingClientRect();
  range.selectNodeContents(text);
  const line = range.getBoundingClientRect();
  return arrow.left + arrow.width / 2 < line.left + line.width / 2 ? "left" : "right";
})"""


def test_three_images_keep_their_numbers_from_left_to_right(
    page: Page, surveys: SurveySite, studies: dict[str, str]
) -> None:
    to_trial(page, studies["ar_odd_one_out"])
    places = lefts(page, ".iri-trial-option")
    assert places == sorted(places)
    check(page, "rtl-odd-one-out")
    page.keyboard.press("3")
    expect(page.locator(".iri-trial-confidence")).to_be_visible()
    check(page, "rtl-confidence")
    levels = lefts(page, ".iri-trial-level")
    assert levels == sorted(levels, reverse=True), "a scale is read from right to left"
    page.keyboard.press("3")
    expect(page.get_by_test_id("completion-code")).to_be_visible()
    assert stored(surveys, "study-ar-odd-one-out") == [("odd_one_out", 0, 2, 3)]


def test_matching_keeps_its_places(page: Page, surveys: SurveySite, studies: dict[str, str]) -> None:
    to_trial(page, studies["ar_matching"])
    for row in (".iri-matching-references button", ".iri-matching-options button"):
        assert lefts(page, row) == sorted(lefts(page, row))
    for key in ("2", "3", "1"):
        page.keyboard.press(key)
    check(page, "rtl-matching")
    press(page, CONFIRM)
    expect(page.get_by_test_id("completion-code")).to_be_visible()
    assert [row[1:3] for row in stored(surveys, "study-ar-matching")] == [(0, 1), (1, 2), (2, 0)]
    page.goto(page.locator(".withdraw a").get_attribute("href") or "")
    expect(page.get_by_role("button", name=WITHDRAW)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("dir", "rtl")
    check_at_every_size(page, "rtl-withdrawing")
