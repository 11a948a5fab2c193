"""A researcher takes a study's data away in a real browser: at once, and by a worker that is killed first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.accessibility import violations
from tests.e2e.conftest import LOGIN, PASSWORD
from tests.e2e.researcher import Researcher
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e
# Generous: the machine may be busy with other things.
expect.set_options(timeout=60_000)

SLUG = "exported-study"
STORED = """
SELECT count(*) FROM participation_response r
JOIN participation_presentation p ON p.id = r.presentation_id
JOIN participation_studysession s ON s.id = p.session_id
JOIN studies_study t ON t.id = s.study_id WHERE t.slug = %s
"""
# Takes the export up and goes no further, as a worker that is killed right after.
CLAIM = "from survey_site.analysis.exporting.jobs import claim_export; claim_export(); print('claimed')"


@pytest.fixture(scope="module")
def answered(surveys: SurveySite) -> SurveySite:
    surveys.open_studies("exported", study={"n": 3, "n_catch": 1})
    surveys.lab.succeed("simulate_participants", SLUG, "--n", "3", "--url", surveys.lab.servers.public_url)
    return surveys


@pytest.fixture
def page(answered: SurveySite, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(
        base_url=answered.lab.servers.public_url, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    Researcher(page).log_in(LOGIN, PASSWORD)
    yield page
    context.close()


def choose(page: Page, file: str) -> None:
    page.get_by_label(file).check()
    page.get_by_label("Sessions", exact=True).select_option("Pilot")


def test_a_file_comes_at_once_and_the_same_one_from_the_background(answered: SurveySite, page: Page) -> None:
    lab = answered.lab
    page.goto(f"/admin/results/{SLUG}/?mode=pilot")
    page.get_by_role("link", name="Export the data").click()
    assert violations(page, "main") == []
    choose(page, "Responses, long")
    with page.expect_download() as sent:
        page.get_by_role("button", name="Export", exact=True).click()
    assert sent.value.suggested_filename == f"{SLUG}-pilot-responses.csv"
    at_once = Path(sent.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(at_once.decode(), newline="")))
    assert len(rows) == lab.value(STORED, SLUG) == 12

    page.goto(f"/admin/export/{SLUG}/")
    choose(page, "Responses, long")
    page.get_by_label("Write it in the background").check()
    page.get_by_role("button", name="Export", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()

    # A worker took it up and was killed: its lease ends.
    assert "claimed" in lab.succeed("shell", "-c", CLAIM)
    expect(page.get_by_text("Being written")).to_be_visible()
    lab.rows("UPDATE analysis_export SET lease_until = now() - interval '1 second' RETURNING id")
    worker = lab.start(
        "housekeeping",
        *("-m", "celery", "-A", "survey_site", "worker", "-B", "-l", "INFO", "-Q", "housekeeping"),
        *("-P", "threads", "-c", "1", "-n", "exports@%h", "-s", str(lab.servers.var_dir / "beat")),
        IRI_SWEEP_SECONDS="1",
    )
    try:
        link = page.get_by_role("link", name="Download", exact=True)
        expect(link).to_be_visible()  # without a reload
        with page.expect_download() as kept:
            link.click()
        assert Path(kept.value.path()).read_bytes() == at_once
        assert lab.rows("SELECT state, attempts FROM analysis_export") == [("done", 2)]
    finally:
        lab.stop(worker)
