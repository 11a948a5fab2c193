"""The study builder in a browser: the panel follows what is typed, and nothing is saved before it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import LOGIN, PASSWORD
from tests.e2e.researcher import Researcher
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e
expect.set_options(timeout=60_000)

SLUG = "build-plain"


@pytest.fixture(scope="module")
def researcher(surveys: SurveySite, browser: Browser) -> Iterator[Researcher]:
    """Logged in, with a paused study of six trials, so that its design can be changed."""
    surveys.open_studies("build", plain={"n": 6, "n_catch": 1})
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url, viewport={"width": 1280, "height": 900}
    )
    researcher = Researcher(context.new_page())
    researcher.log_in(LOGIN, PASSWORD)
    researcher.page.goto(f"/admin/versions/{SLUG}/")
    researcher.page.get_by_role("button", name="Pause").click()
    expect(researcher.page.get_by_text("Paused: no new sessions")).to_be_visible()
    yield researcher
    context.close()


@pytest.fixture
def panel(researcher: Researcher) -> Locator:
    researcher.page.goto(f"/admin/builder/{SLUG}/")
    return researcher.page.locator("#builder-outlook")


def pick(page: Page) -> Locator:
    return page.locator(".builder-pair").filter(has_text="in the study").get_by_role("checkbox")


def test_the_panel_follows_the_form_without_saving(researcher: Researcher, panel: Locator) -> None:
    page = researcher.page
    expect(panel).to_contain_text("6 main, 1 catch")
    page.get_by_label("Catch trials", exact=True).fill("3")
    expect(panel).to_contain_text("6 main, 3 catch")
    page.get_by_label("Catch trials", exact=True).fill("9")
    expect(panel).to_contain_text("60% would be catch trials, which no score counts")
    page.get_by_label("Catch trials", exact=True).fill("")
    expect(panel).to_contain_text("missing or out of range")
    pick(page).check()
    page.get_by_label("Catch trials", exact=True).fill("2")
    page.get_by_label("Format").select_option("Classification")
    expect(page.get_by_label("Options")).to_have_value("4")
    expect(panel).to_contain_text("classification needs a label for every image")
    page.reload()
    expect(page.get_by_label("Catch trials", exact=True)).to_have_value("1")
    assert researcher.complaints.texts == []


def test_what_is_ticked_is_saved_at_once_and_opens_as_a_new_version(
    researcher: Researcher, panel: Locator
) -> None:
    page = researcher.page
    pick(page).check()
    page.get_by_label("Foil").select_option("Another target")
    expect(panel).to_contain_text("12 main, 1 catch")
    page.get_by_role("button", name="Save conditions and plan").click()
    expect(page.get_by_text("1 condition added. Saved.")).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Open again").click()
    expect(page.get_by_text("Open as version 2")).to_be_visible()
    expect(page.get_by_text("build-plain-pool-reg_free-2: added")).to_be_visible()
    page.get_by_role("link", name="Conditions and plan").click()
    expect(page.get_by_text("This study is open, so its design is locked")).to_be_visible()
    expect(page.get_by_role("button", name="Save conditions and plan")).to_be_disabled()
    assert researcher.complaints.texts == []


def test_texts_are_shown_as_they_are_typed(researcher: Researcher) -> None:
    page = researcher.page
    page.goto(f"/admin/versions/{SLUG}/")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("link", name="Texts").click()
    page.get_by_label("Welcome", exact=True).fill("# Hello\n\nYou *see* <b>pictures</b>.")
    shown = page.get_by_role("region", name="Welcome as participants see it")
    expect(shown.get_by_role("heading", name="Hello")).to_be_visible()
    expect(shown.locator("em")).to_have_text("see")
    expect(shown).to_contain_text("<b>pictures</b>")
    page.get_by_role("button", name="Save texts").click()
    expect(page.get_by_text("The texts in en are saved.")).to_be_visible()
    assert researcher.complaints.texts == []
