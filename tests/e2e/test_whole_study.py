"""A whole study as a researcher does it, from photographs to a clone, in a browser and on real processes.

SCREENSHOTS names a folder in which each page is left as a picture (those of docs/ are made so).
"""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from playwright.sync_api import Browser, Page, expect

from tests.e2e.participant import Participant, by_arrow
from tests.e2e.researcher import DESCENT_MS, Researcher
from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.broker, pytest.mark.embedded_only]

LABELS = {"cat": ["chelsea.png"], "thing": ["coffee.png", "rocket.jpg"]}
N_IMAGES = 3
IMAGE_SIZE, STEPS = 64, 40
N_BOTS = 3
CODE = "WHOLE-STUDY"
SLUG = "whole-study"


@pytest.fixture
def people(site: Lab, browser: Browser) -> Iterator[list[Participant]]:
    """Two of them, each in a browser that knows nothing of the other."""
    contexts = [browser.new_context(base_url=site.servers.public_url) for _ in range(2)]
    yield [Participant(context.new_page()) for context in contexts]
    for context in contexts:
        context.close()


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        page.wait_for_load_state("networkidle")
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": 1280, "height": min(max(height, 900), 3000)})  # bars stay at its end
        page.screenshot(path=Path(folder) / f"{name}.png")
        page.set_viewport_size({"width": 1280, "height": 900})


def photographs(folder: Path) -> Path:
    """A ZIP whose folders are the labels."""
    path = folder / "photographs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for label, names in LABELS.items():
            for name in names:
                archive.write(Path(skimage.data.data_dir) / name, f"{label}/{name}")
    return path


def test_a_study_from_photographs_to_a_clone(
    researcher: Researcher, people: list[Participant], tmp_path: Path
) -> None:
    page = researcher.page
    page.set_viewport_size({"width": 1280, "height": 900})
    upload_and_search(researcher, tmp_path)
    build(researcher)
    preview_and_pilot(researcher)
    page.get_by_role("link", name="Versions", exact=True).click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_role("heading", name="Open", exact=True)).to_be_visible()
    picture(page, "versions")
    it_is_locked(researcher)
    for person in people:
        person.begin(f"/s/{SLUG}/")
        person.answer(by_arrow)
        assert person.read_code() == CODE
        assert person.complaints.texts == []
    watch_and_exclude(researcher)
    export(researcher, tmp_path)
    clone(researcher)
    who_did_what(researcher)
    assert researcher.complaints.texts == []


def upload_and_search(researcher: Researcher, folder: Path) -> None:
    page = researcher.page
    researcher.add_image_set("Animals and things", [photographs(folder)])
    expect(page.get_by_label("thing (2)")).to_be_visible()
    picture(page, "upload")
    researcher.register_network("EfficientNet-Lite0", "efficientnet_lite0")
    researcher.wait_until_ready("EfficientNet-Lite0")
    researcher.queue_pair("_avg_pooling", "Animals and things", image_size=IMAGE_SIZE, steps=STEPS)
    page.get_by_role("row", name="EfficientNet-Lite0 · _avg_pooling").get_by_role("link").first.click()
    expect(page.locator(".iri-progress").get_by_text("finished")).to_be_visible(timeout=DESCENT_MS)
    picture(page, "job")


def build(researcher: Researcher) -> None:
    page = researcher.page
    researcher.draft_study("Whole study", completion_code=CODE)
    researcher.save("Save and continue editing")
    page.goto(f"/admin/builder/{SLUG}/")
    tile = page.locator(".builder-pair").filter(has_text="_avg_pooling")
    expect(tile.get_by_role("img", name="IRI of")).to_have_count(N_IMAGES)
    page.get_by_label("Show IRIs that failed their quality check, too").check()
    tile.get_by_role("checkbox").check()
    page.get_by_label("Catch trials").fill("1")
    outlook = page.locator("#builder-outlook")
    expect(outlook.get_by_text("3 main, 1 catch (25 %)")).to_be_visible()
    picture(page, "builder")
    page.get_by_role("button", name="Save conditions and plan").click()
    expect(page.locator(".builder-conditions").get_by_text("3 of 3")).to_be_visible()
    page.get_by_role("link", name="Texts", exact=True).click()
    picture(page, "texts")


def preview_and_pilot(researcher: Researcher) -> None:
    page = researcher.page
    page.get_by_role("link", name="Preview and pilot").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Preview as participant").click()
    shown = opened.value
    expect(shown.get_by_role("button", name="Start")).to_be_visible()
    expect(shown.get_by_text("Preview").first).to_be_visible()
    shown.close()
    page.get_by_role("button", name="Begin the pilot").click()
    page.get_by_label("Bots", exact=True).fill(str(N_BOTS))
    page.get_by_role("button", name="Send bots").click()
    expect(page.get_by_text(f"{N_BOTS} of {N_BOTS} · done")).to_be_visible(timeout=90_000)
    picture(page, "pilot")


def it_is_locked(researcher: Researcher) -> None:
    page = researcher.page
    page.goto(f"/admin/builder/{SLUG}/")
    expect(page.get_by_role("button", name="Save conditions and plan")).to_be_disabled()
    page.get_by_role("link", name="All settings", exact=True).click()
    expect(page.get_by_text("This study is open, so its design is locked")).to_be_visible()
    expect(page.locator("#id_n_catch")).to_be_disabled()
    picture(page, "study")


def watch_and_exclude(researcher: Researcher) -> None:
    page = researcher.page
    page.goto(f"/admin/live/{SLUG}/")
    expect(page.get_by_text("Nothing may be concluded from these scores yet.")).to_be_visible()
    tile = page.locator(".live-tiles li")
    expect(tile.filter(has_text="started")).to_have_text("2 started")  # pilots are not among them
    expect(tile.filter(has_text="completed")).to_have_text("2 completed")
    expect(page.locator("[data-score]")).to_have_count(1, timeout=60_000)
    picture(page, "live")
    page.get_by_role("checkbox", name="Select session").first.check()
    page.get_by_label("Action").select_option("Exclude by hand")
    page.get_by_label("Reason").fill("said afterwards that the screen was broken")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("1 session excluded")).to_be_visible()
    page.goto(f"/admin/results/{SLUG}/")
    expect(page.get_by_role("table", name="Human-alignment scores by condition")).to_be_visible(
        timeout=60_000
    )
    picture(page, "results")


def export(researcher: Researcher, folder: Path) -> None:
    page = researcher.page
    page.goto(f"/admin/export/{SLUG}/")
    picture(page, "export")
    text = researcher.export("Responses, long", folder).read_text("utf-8-sig")
    responses = list(csv.DictReader(io.StringIO(text)))
    assert len(responses) == 2 * (N_IMAGES + 1)
    assert {row["mode"] for row in responses} == {"real"}
    assert sorted({row["excluded_by"] for row in responses}) == ["", "researcher"]
    assert {row["target_label"] for row in responses if row["trial_kind"] == "main"} == set(LABELS)
    with zipfile.ZipFile(researcher.export("Data set (Psych-DS", folder)) as archive:
        assert f"data/study-{SLUG.replace('-', '')}_task-2afc_data.csv" in {
            name.partition("/")[2] if not name.startswith("data/") else name for name in archive.namelist()
        }


def clone(researcher: Researcher) -> None:
    page = researcher.page
    page.goto(f"/admin/versions/{SLUG}/")
    page.get_by_label("Name").fill("Whole study again")
    page.get_by_label("Slug").fill("again")
    page.get_by_role("button", name="Clone").click()
    page.goto("/admin/builder/again/")
    expect(page.locator(".builder-conditions").get_by_text("3 of 3")).to_be_visible()
    expect(page.get_by_role("button", name="Save conditions and plan")).to_be_enabled()


def who_did_what(researcher: Researcher) -> None:
    page = researcher.page
    page.goto("/admin/access/auditevent/")
    for action in ("open study", "exclude session", "clone study"):
        expect(page.get_by_text(action).first).to_be_visible()
    page.goto(f"/admin/builder/{SLUG}/")
    page.get_by_role("link", name="All settings", exact=True).click()
    page.get_by_role("link", name="History").first.click()
    expect(page.get_by_role("cell", name="status").first).to_be_visible()
    picture(page, "history")
    page.goto("/admin/status/")
    expect(page.get_by_text("Housekeeping")).to_be_visible()
    picture(page, "status")
    page.goto("/admin/")
    picture(page, "overview")
