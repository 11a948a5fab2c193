"""Beside the straight path, too, axe-core has nothing to find, and a keyboard reaches what a page offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.e2e.accessibility import (
    CONTROLS,
    NARROW,
    ZOOMED,
    check,
    check_at_every_size,
    is_too_wide,
    out_of_reach,
    violations,
)
from tests.e2e.conftest import LOGIN, PASSWORD
from tests.e2e.researcher import Researcher
from tests.e2e.survey import SurveySite
from tests.e2e.test_formats import PIXELS

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)

STUDIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "timed": {"time_limit_ms": 400},
    "masked": {"reference_ms": 60_000},
    "practised": {"n_practice": 2, "practice_pass": 2, "practice_rounds": 2},
    "no_phones": {"mobile_policy": "block"},
    "phones_warned": {"mobile_policy": "warn"},
    "linked": {"recruiter": "single_use"},
}


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n": 2, "n_catch": 0, "completion_code": "CODE", "screened_out_code": "OUT"}
    return surveys.open_studies(**{name: {**common, **one} for name, one in STUDIES.items()})


@pytest.fixture
def context(surveys: SurveySite, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url, device_scale_factor=2, reduced_motion="reduce"
    )
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def researcher(page: Page, studies: dict[str, str]) -> Page:
    """A page of a researcher who is logged in."""
    Researcher(page).log_in(LOGIN, PASSWORD)
    return page


def press(page: Page, *buttons: str) -> None:
    for name in buttons:
        page.get_by_role("button", name=name, exact=True).press("Enter")


def expect_heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text, level=1)).to_be_visible()


def expect_trial(page: Page) -> None:
    expect(page.locator(".iri-trial[data-phase=shown]")).to_be_visible()


def to_trials(page: Page, path: str) -> None:
    page.goto(path)
    press(page, "Start", "I agree", "Continue")
    expect_trial(page)


def answer(page: Page) -> None:
    """Choose the left image of the trial that is there, and wait until it is gone."""
    expect(page.locator(".iri-trial-option").first).to_have_attribute("aria-disabled", "false")
    trial = page.locator(".iri-trial").element_handle()
    assert trial is not None
    page.keyboard.press("f")
    trial.wait_for_element_state("hidden")


def changed(page: Page, address: str, **facts: object) -> None:
    """What the server says at an address has these facts instead of its own."""

    def fulfil(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), **facts})

    page.route(address, fulfil)


def refused(page: Page, address: str, status: int, code: str) -> None:
    page.route(address, lambda route: route.fulfill(status=status, json={"code": code, "detail": "no"}))


STUDY_INFO, SESSIONS, ME = "**/api/studies/**", "**/api/sessions/", "**/api/sessions/me/"
LOG, FINISH = "**/api/sessions/me/log/", "**/api/sessions/me/finish/"
Change = Callable[[Page], object]
# Instead of the welcome: what the server says, and the heading that it leads to.
ENTRANCES: dict[str, tuple[Change, str]] = {
    "closed": (lambda page: changed(page, STUDY_INFO, accepting=False, status="closed"), "is closed"),
    "paused": (lambda page: changed(page, STUDY_INFO, accepting=False, status="paused"), "is paused"),
    "full": (lambda page: changed(page, STUDY_INFO, full=True), "Thank you"),
    "languages": (lambda page: changed(page, STUDY_INFO, languages=["de", "en"]), "looks most alike"),
    "bad-link": (
        lambda page: changed(page, STUDY_INFO, link={"fault": "unknown_link", "is_known": False}),
        "This link does not work",
    ),
    "not-found": (lambda page: refused(page, STUDY_INFO, 404, "not_open"), "There is no such study"),
    "broken": (lambda page: refused(page, STUDY_INFO, 400, "invalid"), "Something went wrong"),
    "no-storage": (
        lambda page: page.add_init_script("Object.defineProperty(window, 'indexedDB', {value: undefined})"),
        "looks most alike",
    ),
}


@pytest.mark.parametrize("name", ENTRANCES)
def test_entrances(name: str, page: Page, studies: dict[str, str]) -> None:
    change, heading = ENTRANCES[name]
    change(page)
    page.goto(studies["plain"])
    expect_heading(page, heading)
    check_at_every_size(page, name)


def test_a_server_that_is_away_at_the_beginning(page: Page, studies: dict[str, str]) -> None:
    page.route(STUDY_INFO, lambda route: route.abort())
    page.goto(studies["plain"])
    expect(page.get_by_text("The server cannot be reached just now")).to_be_visible()
    check_at_every_size(page, "away-at-the-beginning")


def test_a_start_that_is_refused(page: Page, studies: dict[str, str]) -> None:
    refused(page, SESSIONS, 403, "unknown_link")
    page.goto(studies["plain"])
    press(page, "Start")
    expect(page.get_by_text("This link is not complete")).to_be_visible()
    check_at_every_size(page, "start-refused")


def test_the_preview_on_mechanical_turk_and_its_form(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["plain"] + "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE")
    expect(page.get_by_text("accept the HIT")).to_be_visible()
    check_at_every_size(page, "mturk-preview")
    submit = {"action": "https://workersandbox.mturk.com/mturk/externalSubmit", "fields": {"a": "1"}}
    back = "https://app.prolific.com/submissions/complete?cc=NO"
    changed(page, ME + "consent/", submit=submit, redirect_url=back, completion_code="NO")
    page.goto(studies["plain"])
    press(page, "Start", "I do not agree")
    expect(page.get_by_role("button", name="Submit the HIT")).to_be_visible()
    check_at_every_size(page, "ways-back")


def test_a_consent_that_has_changed(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["plain"])
    refused(page, ME + "consent/", 409, "consent_changed")
    press(page, "Start", "I agree")
    expect(page.get_by_text("The text has changed")).to_be_visible()
    check_at_every_size(page, "consent-changed")


@pytest.mark.parametrize(
    ("study", "heading"),
    [("no_phones", "Please use a computer"), ("phones_warned", "looks most alike")],
)
def test_phones(study: str, heading: str, surveys: SurveySite, browser: Browser, studies: Any) -> None:
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url,
        is_mobile=True,
        has_touch=True,
        screen={"width": 390, "height": 844},
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(studies[study])
    expect_heading(page, heading)
    check_at_every_size(page, study.replace("_", "-"))
    slug = studies[study].split("/")[2]
    states = surveys.lab.rows(
        """
        SELECT state, screened_out_by FROM participation_studysession s
        JOIN studies_study ON studies_study.id = s.study_id WHERE slug = %s
        """,
        slug,
    )
    assert states == ([("screened_out", "device")] if study == "no_phones" else [])
    context.close()


def test_a_pause_and_the_help_that_is_in_reach_of_every_page(page: Page, studies: dict[str, str]) -> None:
    changed(page, STUDY_INFO, contact="lab@example.org", pay={"amount": "2.50", "currency": "GBP"})
    page.goto(studies["plain"])
    expect(page.get_by_text("£2.50")).to_be_visible()
    check_at_every_size(page, "welcome-with-pay")
    press(page, "Start", "I agree", "Continue")
    expect_trial(page)
    press(page, "Help")
    dialog = page.get_by_role("dialog", name="Help")
    expect(dialog.get_by_role("link", name="lab@example.org")).to_be_visible()
    expect(dialog.get_by_text("take your answers back")).to_be_visible()
    assert violations(page) == []
    dialog.get_by_label("What went wrong?").fill("The images are <b>dark</b>.")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_text("The researchers will see it.")).to_be_visible()
    for size in (ZOOMED, NARROW):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        assert violations(page) == []
        assert not is_too_wide(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect_heading(page, "Paused")
    check_at_every_size(page, "paused")
    press(page, "Continue")
    expect_trial(page)
    press(page, "Pause")
    press(page, "Continue")
    for _ in range(2):
        expect_trial(page)
        answer(page)
    expect(page.get_by_test_id("completion-code")).to_have_text("CODE")


def test_the_way_back_to_prolific(page: Page, studies: dict[str, str]) -> None:
    changed(page, STUDY_INFO, recruiter="prolific")
    back = "https://app.prolific.com/submissions/complete?cc=NO"
    changed(page, ME + "consent/", redirect_url=back, completion_code="NO")
    page.route(back, lambda route: route.fulfill(body="Prolific", content_type="text/html"))
    page.goto(studies["plain"])
    press(page, "Start", "I do not agree")
    press(page, "Stay on this page")
    expect(page.get_by_text("You stay on this page.")).to_be_visible()
    check_at_every_size(page, "back-to-prolific")
    changed(page, ME, redirect_url=back, completion_code="NO")
    page.reload()
    expect(page.get_by_text("You are taken back to Prolific in")).to_be_visible()
    page.wait_for_url(back)


def test_whoever_comes_back(page: Page, studies: dict[str, str]) -> None:
    to_trials(page, studies["plain"])
    expect_trial(page)
    page.keyboard.press("f")
    expect(page.get_by_role("progressbar", name="Progress")).to_have_attribute("aria-valuenow", "1")
    page.reload()
    expect_heading(page, "Welcome back")
    check_at_every_size(page, "welcome-back")


def test_practice_that_is_not_passed(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["practised"])
    press(page, "Start", "I agree", "Continue", "Continue")
    for left in (3, 2, 1, 0):
        expect_trial(page)
        reference = page.locator(".iri-trial-reference img").evaluate(PIXELS)
        options = page.locator(".iri-trial-option img").evaluate_all(f"all => all.map({PIXELS})")
        page.keyboard.press(("f", "j")[1 - options.index(reference)])
        expect_heading(page, "Not quite.")
        check_at_every_size(page, "practice-wrong") if left == 3 else None
        press(page, "Continue")
        if left == 2:
            expect_heading(page, "Once more")
            check_at_every_size(page, "practice-again")
            press(page, "Continue")
    expect(page.get_by_text("it says nothing about you")).to_be_visible()
    expect(page.get_by_test_id("completion-code")).to_have_text("OUT")
    check_at_every_size(page, "practice-failed")


def test_a_time_limit_that_expires_is_said(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["timed"])
    page.evaluate(
        """() => {
          window.said = [];
          new MutationObserver(() => window.said.push(document.querySelector("[aria-live]").textContent))
            .observe(document.getElementById("app"), {subtree: true, childList: true, characterData: true});
        }"""
    )
    press(page, "Start", "I agree", "Continue")
    expect_heading(page, "Thank you, you are done")
    said = page.evaluate("window.said")
    assert "Time is up. Question 2 of 2." in " / ".join(said), said
    check_at_every_size(page, "time-is-up")


def test_a_reference_that_is_shown_first(page: Page, studies: dict[str, str]) -> None:
    page.goto(studies["masked"])
    press(page, "Start", "I agree", "Continue")
    expect(page.locator(".iri-trial[data-phase=reference]")).to_be_visible()
    check_at_every_size(page, "reference-first")


def test_a_second_tab_that_takes_over(context: BrowserContext, page: Page, studies: dict[str, str]) -> None:
    to_trials(page, studies["plain"])
    answer(page)
    expect_trial(page)
    second = context.new_page()
    second.goto(studies["plain"])
    expect_heading(second, "Already open in another tab")
    check_at_every_size(second, "take-over-offered")
    press(second, "Use this tab")
    expect_heading(second, "Welcome back")
    page.bring_to_front()
    expect_heading(page, "Already open in another tab")
    check_at_every_size(page, "taken-over")


def test_a_server_that_is_away_at_the_end_and_the_file(page: Page, studies: dict[str, str]) -> None:
    page.route(LOG, lambda route: route.abort())
    to_trials(page, studies["plain"])
    for _ in range(2):
        expect_trial(page)
        answer(page)
    expect_heading(page, "Saving your answers")
    expect(page.get_by_text("The connection is slow or down")).to_be_visible()
    expect(page.get_by_role("button", name="Download my answers")).to_be_visible(timeout=60_000)
    check_at_every_size(page, "server-away")


def test_answers_that_the_server_does_not_accept(page: Page, studies: dict[str, str]) -> None:
    refused(page, LOG, 409, "conflict")
    to_trials(page, studies["plain"])
    answer(page)
    expect(page.get_by_role("heading", name="The server did not accept some answers")).to_be_visible()
    check_at_every_size(page, "not-accepted")


def test_a_session_that_was_left_for_too_long(page: Page, studies: dict[str, str]) -> None:
    to_trials(page, studies["plain"])
    changed(page, ME, state="dropped")
    page.reload()
    expect_heading(page, "This session has ended")
    check_at_every_size(page, "ended")


def test_a_researchers_preview(researcher: Page, studies: dict[str, str]) -> None:
    researcher.goto("/admin/preview/study-plain/")
    expect(researcher.get_by_text("Preview: nothing that you answer is kept.")).to_be_visible()
    check_at_every_size(researcher, "preview-welcome")
    press(researcher, "Start", "I agree", "Continue")
    expect_trial(researcher)
    note = researcher.get_by_text("Preview: nothing that you answer is kept.")
    for size in (ZOOMED, NARROW):
        researcher.set_viewport_size({"width": size["width"], "height": size["height"]})
        check(researcher, "preview-trial")
        expect(note).to_be_in_viewport(ratio=1)


def test_a_preview_needs_no_more_room_than_the_window_has(researcher: Page, studies: dict[str, str]) -> None:
    researcher.set_viewport_size({"width": 1280, "height": 720})
    researcher.goto("/admin/preview/study-plain/")
    press(researcher, "Start", "I agree", "Continue")
    expect_trial(researcher)
    assert researcher.evaluate("document.documentElement.scrollHeight <= window.innerHeight")


def test_the_researchers_page_of_links(researcher: Page, studies: dict[str, str]) -> None:
    researcher.goto("/admin/links/study-linked/")
    press(researcher, "Make links")
    expect(researcher.get_by_text("50 new links")).to_be_visible()
    check_ours(researcher)


def test_the_researchers_page_of_results(researcher: Page, studies: dict[str, str]) -> None:
    researcher.goto("/admin/results/study-linked/")
    expect(researcher.get_by_role("link", name="Export the data")).to_be_visible()
    check_ours(researcher)


def check_ours(researcher: Page) -> None:
    assert violations(researcher, "main") == []  # around it is the admin's frame, which is not ours
    for width in (1280, 320):
        researcher.set_viewport_size({"width": width, "height": 640})
        assert not is_too_wide(researcher)
    assert out_of_reach(researcher) == []
    assert researcher.locator(CONTROLS).count() > 0
