"""A researcher fills an image set in a real browser: a dropped folder, a ZIP by keyboard, a bad line."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.builders import png
from tests.e2e.accessibility import is_too_wide, violations
from tests.e2e.conftest import LOGIN, PASSWORD
from tests.e2e.researcher import Researcher
from tests.e2e.survey import SurveySite

pytestmark = pytest.mark.e2e

# More than a directory reader gives at once, and than one request takes.
N_CATS, N_DOGS = 130, 3


@pytest.fixture
def researcher(surveys: SurveySite, browser: Browser) -> Iterator[Researcher]:
    context = browser.new_context(
        base_url=surveys.lab.servers.public_url, viewport={"width": 1280, "height": 900}
    )
    researcher = Researcher(context.new_page())
    researcher.log_in(LOGIN, PASSWORD)
    yield researcher
    assert researcher.complaints.texts == []
    context.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """photos/cat, photos/dog, what systems leave behind, and words."""
    folder = tmp_path_factory.mktemp("drop") / "photos"
    for label, count, seed in (("cat", N_CATS, 20_000), ("dog", N_DOGS, 30_000)):
        (folder / label).mkdir(parents=True)
        for n in range(count):
            (folder / label / f"{n}.png").write_bytes(png(seed + n))
    (folder / "cat" / "again.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    (folder / "cat" / ".DS_Store").write_bytes(b"\0")
    (folder / "notes.txt").write_text("These are words.")
    return folder


def drop(page: Page, *paths: Path) -> None:
    """As a person drags files and folders from a file manager into the window."""
    box = page.locator("[data-drop]").bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 40}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


def test_a_folder_is_dropped_and_its_report_read(researcher: Researcher, folder: Path) -> None:
    page = researcher.page
    researcher.new_image_set("Dropped")
    drop(page, folder)
    expect(page.get_by_text(f"{N_CATS + N_DOGS + 2} files in 3 folders")).to_be_visible()
    page.get_by_role("button", name="Add to the set").click()
    expect(page.get_by_role("heading", name="Labels")).to_be_visible(timeout=60_000)
    tiles = page.locator(".iri-tiles li").all_inner_texts()
    assert [tile.split() for tile in tiles] == [
        [str(N_CATS + N_DOGS), "added"], ["1", "there", "already"], ["1", "refused"],
    ]  # fmt: skip
    expect(page.get_by_role("row", name="photos/notes.txt not an image")).to_be_visible()
    expect(page.get_by_role("row", name="photos/cat/again.png 0.png (cat)")).to_be_visible()

    page.get_by_label("cat (130)").fill("tabby")
    page.get_by_role("button", name="Save labels").click()
    expect(page.get_by_label("tabby (130)")).to_be_visible()

    page.get_by_role("link", name="All images of the set").click()
    expect(page.get_by_text("133 of 133 images")).to_be_visible()
    page.get_by_label("Label", exact=True).select_option("dog (3)")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("3 of 133 images")).to_be_visible()
    page.get_by_label("All on this page").check()
    page.get_by_role("button", name="Remove from the set").click()
    expect(page.get_by_text("3 images were removed from the set.")).to_be_visible()
    expect(page.get_by_text("0 of 130 images")).to_be_visible()


def test_a_zip_is_chosen_and_sent_by_keyboard(researcher: Researcher, tmp_path: Path) -> None:
    page = researcher.page
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for n in range(20):
            archive.writestr(f"{'fox' if n % 2 else 'owl'}/{n}.png", png(5000 + n))
        archive.writestr("../evil.png", png(1))
    researcher.new_image_set("By keyboard")
    chooser = page.get_by_label("Photographs or a ZIP")
    with page.expect_file_chooser() as opened:
        chooser.press("Enter")
    opened.value.set_files(tmp_path / "all.zip")
    expect(page.get_by_text("1 file, ")).to_be_visible()
    page.get_by_role("button", name="Add to the set").press("Enter")
    expect(page.get_by_text("../evil.png")).to_be_visible(timeout=60_000)
    expect(page.get_by_label("fox (10)")).to_be_visible()
    expect(page.get_by_label("owl (10)")).to_be_visible()


def test_a_folder_is_chosen_without_a_mouse(researcher: Researcher, folder: Path) -> None:
    page = researcher.page
    researcher.new_image_set("Chosen folder")
    page.get_by_label("A folder with all that is in it").set_input_files(folder)
    expect(page.get_by_text("files in 3 folders")).to_be_visible()
    page.get_by_role("button", name="Add to the set").click()
    expect(page.get_by_label("cat (130)")).to_be_visible(timeout=60_000)


# The second request is lost on its way there, the third's answer on its way back.
LOSE = """{
  const send = XMLHttpRequest.prototype.send;
  window.sent = 0;
  XMLHttpRequest.prototype.send = function (data) {
    window.sent += 1;
    if (window.sent === 2) return this.dispatchEvent(new ProgressEvent("loadend"));
    if (window.sent === 3) Object.defineProperties(this, {status: {value: 0}, response: {value: null}});
    return send.call(this, data);
  };
  window.addEventListener("beforeunload", () => sessionStorage.setItem("sent", window.sent));
}"""


def test_requests_that_fail_are_sent_again_and_nothing_comes_in_twice(
    researcher: Researcher, folder: Path
) -> None:
    page = researcher.page
    researcher.new_image_set("Bad connection")
    page.evaluate(LOSE)
    drop(page, folder)
    page.get_by_role("button", name="Add to the set").click()
    expect(page.get_by_label("cat (130)")).to_be_visible(timeout=120_000)
    expect(page.get_by_label("dog (3)")).to_be_visible()
    assert [tile.split()[0] for tile in page.locator(".iri-tiles li").all_inner_texts()] == ["133", "1", "1"]
    # One to start, eight files a request, and the two that were sent again.
    assert page.evaluate("Number(sessionStorage.getItem('sent'))") == 1 + 17 + 2


def test_the_pages_hinder_nobody(researcher: Researcher, folder: Path) -> None:
    page = researcher.page
    researcher.new_image_set("For everybody")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page, ".iri-images") == []
        assert not is_too_wide(page)
    page.get_by_label("Photographs or a ZIP").set_input_files(
        [folder / "dog" / "0.png", folder / "notes.txt"]
    )
    page.get_by_role("button", name="Add to the set").click()
    expect(page.get_by_role("heading", name="Labels")).to_be_visible()
    report = page.url
    for address in (report, report.split("/uploads/")[0] + "/images/"):
        page.goto(address)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert violations(page, ".iri-images") == []
            assert not is_too_wide(page)
