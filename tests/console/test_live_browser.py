"""The live page in a real browser: it follows what happens, and stands still while somebody chooses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as site_settings
from playwright.sync_api import Page, expect, sync_playwright

from survey_site.participation.models import Payment
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import logged_in, superuser
from tests.e2e.conftest import find_chromium

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]

NEXT_POLL = 15_000


@pytest.fixture
def answered() -> AnsweredStudy:
    study = answered_study()
    study.answer(n=3)
    return study


@pytest.fixture
def page(answered: AnsweredStudy, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    # Playwright's own loop runs in this thread, which Django would take for its caller's.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    cookie = logged_in(superuser()).cookies[site_settings.SESSION_COOKIE_NAME].value
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies(
            [{"name": site_settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
        )
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.goto(f"{live_server.url}/admin/live/faces/")
        yield page
        browser.close()
    assert faults == []


def test_it_follows_and_stands_still_while_sessions_are_selected(page: Page, answered: AnsweredStudy) -> None:
    rows, tiles = page.locator("tbody input[name=sessions]"), page.locator(".live-tiles")
    expect(rows).to_have_count(3)
    answered.answer(n=1)
    expect(rows).to_have_count(4, timeout=NEXT_POLL)
    rows.nth(1).check()
    expect(page.locator("[data-selected]")).to_have_text("1 selected; the table stands still")
    answered.answer(n=1)
    expect(tiles).to_contain_text("5 completed", timeout=NEXT_POLL)  # the figures go on
    page.wait_for_timeout(5000)
    expect(rows).to_have_count(4)
    assert rows.nth(1).is_checked()
    rows.nth(1).uncheck()
    rows.nth(1).blur()
    expect(rows).to_have_count(5, timeout=NEXT_POLL)


def test_only_what_an_action_asks_for_is_shown_and_acting_says_what_became(
    page: Page, answered: AnsweredStudy
) -> None:
    fields = {"reject": ["reason", "category"], "bonus": ["reason", "amount"], "approve": []}
    for action, wanted in fields.items():
        page.select_option("[name=action]", action)
        shown = page.locator("[data-field]:visible").evaluate_all("all => all.map(one => one.dataset.field)")
        assert shown == wanted
    page.check("[data-select-all]")
    expect(page.locator("[data-selected]")).to_contain_text("3 selected")
    page.click(".live-apply")
    expect(page.locator("body")).to_contain_text("3 sessions approved.")
    assert Payment.objects.count() == 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
