"""The same link in a second browser: one goes on, the other is told, and nothing of either is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.accessibility import check_at_every_size
from tests.e2e.survey import SurveySite
from tests.e2e.test_accessibility_states import answer, expect_heading, expect_trial, press, to_trials

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)
LINK = "?PROLIFIC_PID="
MOVED = "The survey goes on elsewhere"


@pytest.fixture(scope="module")
def path(surveys: SurveySite) -> str:
    return surveys.open_studies("elsewhere", plain={"n": 6, "n_catch": 0, "completion_code": "CODE"})["plain"]


@pytest.fixture
def contexts(surveys: SurveySite, browser: Browser) -> Iterator[list[BrowserContext]]:
    made = [
        browser.new_context(base_url=surveys.lab.servers.public_url, reduced_motion="reduce")
        for _ in range(2)
    ]
    yield made
    for context in made:
        context.close()


def go_on(page: Page, path: str) -> None:
    page.goto(path)
    press(page, "Start")
    expect_heading(page, "Welcome back")
    press(page, "Continue")
    if page.get_by_role("heading", name="What to do").count():
        press(page, "Continue")
    expect_trial(page)


def finish(page: Page) -> None:
    ended = page.get_by_role("heading", name="Thank you, you are done")
    for _ in range(10):
        expect(page.locator(".iri-trial[data-phase=shown]").or_(ended)).to_be_visible()
        if ended.count():
            break
        answer(page)
    expect(page.get_by_test_id("completion-code")).to_have_text("CODE")


def test_the_first_browser_is_told_and_takes_the_survey_back_with_its_unsent_answers(
    surveys: SurveySite, contexts: list[BrowserContext], path: str
) -> None:
    first, second = (context.new_page() for context in contexts)
    link = f"{path}{LINK}twice"
    to_trials(first, link)
    answer(first)
    expect_trial(first)
    contexts[0].set_offline(True)  # what it answers now does not arrive before the other browser begins
    answer(first)
    expect_trial(first)
    go_on(second, link)
    answer(second)
    expect_trial(second)
    contexts[0].set_offline(False)
    expect_heading(first, MOVED)
    expect(first.get_by_role("button", name="Download my answers")).to_be_visible()
    words = first.locator("body").inner_text()
    assert "authentication_failed" not in words
    assert "did not accept" not in words
    check_at_every_size(first, "moved-elsewhere")
    press(first, "Go on here instead")
    expect_heading(first, "Welcome back")
    press(first, "Continue")
    finish(first)
    answer(second)
    expect_heading(second, MOVED)
    rows = surveys.lab.rows(
        """
        SELECT count(*), count(DISTINCT r.presentation_id), count(DISTINCT s.id)
        FROM participation_response r
        JOIN participation_presentation p ON p.id = r.presentation_id
        JOIN participation_studysession s ON s.id = p.session_id
        JOIN studies_study ON studies_study.id = s.study_id WHERE studies_study.slug = %s
        """,
        path.split("/")[2],
    )
    assert rows == [(6, 6, 1)]


def test_one_click_takes_a_tab_back(contexts: list[BrowserContext], path: str) -> None:
    first, second = contexts[0].new_page(), contexts[0].new_page()
    to_trials(first, f"{path}{LINK}tabs")
    answer(first)
    expect_trial(first)
    second.goto(f"{path}{LINK}tabs")
    press(second, "Use this tab")
    expect_heading(second, "Welcome back")
    for taken, left in ((first, second), (second, first)):
        expect_heading(taken, "Already open in another tab")
        press(taken, "Use this tab")
        expect_heading(taken, "Welcome back")
        expect_heading(left, "Already open in another tab")
