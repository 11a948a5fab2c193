"""A participant, who knows the survey by what the page shows."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.e2e.complaints import Complaints

LEFT, RIGHT = 0, 1
Choose = Callable[["Participant", int], None]


class Participant:
    """`chosen` is the side of each answer so far."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints = Complaints(page)
        self.chosen: list[int] = []
        page.set_default_timeout(30_000)

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def begin(self, address: str) -> None:
        """Welcome, consent, instructions; the first trial is next."""
        self.page.goto(address)
        self.press("Start")
        expect(self.heading("Your consent")).to_be_visible()
        self.press("I agree")
        expect(self.heading("What to do")).to_be_visible()
        self.press("Continue")

    def heading(self, name: str) -> Locator:
        return self.page.get_by_role("heading", name=name)

    @property
    def progress(self) -> Locator:
        return self.page.get_by_role("progressbar", name="Progress")

    def option(self, side: int) -> Locator:
        return self.page.get_by_role("button", name=("Left image", "Right image")[side])

    @property
    def total(self) -> int:
        return int(self.progress.get_attribute("aria-valuemax") or 0)

    def answer(self, choose: Choose, count: int | None = None) -> None:
        """Answer `count` trials, or all that are left, looking at each before choosing."""
        expect(self.option(LEFT)).to_be_visible()
        for _ in range(self.total - len(self.chosen) if count is None else count):
            expect(self.progress).to_have_attribute("aria-valuenow", str(len(self.chosen)))
            expect(self.page.get_by_role("img", name="Image to compare")).to_be_visible()
            expect(self.option(LEFT)).to_be_enabled()
            side = len(self.chosen) % 2
            choose(self, side)
            self.chosen.append(side)

    def read_code(self) -> str:
        """The completion code, once it is given."""
        expect(self.heading("Thank you, you are done")).to_be_visible()
        expect(self.heading("Your completion code")).to_be_visible()
        return self.page.get_by_test_id("completion-code").inner_text()


def by_arrow(participant: Participant, side: int) -> None:
    participant.page.keyboard.press(("ArrowLeft", "ArrowRight")[side])


def by_letter(participant: Participant, side: int) -> None:
    participant.page.keyboard.press(("f", "j")[side])


def by_either_key(participant: Participant, side: int) -> None:
    """Two trials with the arrows, two with the letters, and so on."""
    (by_arrow, by_letter)[len(participant.chosen) // 2 % 2](participant, side)


def by_mouse(participant: Participant, side: int) -> None:
    participant.option(side).click()


def by_touch(participant: Participant, side: int) -> None:
    participant.option(side).tap()
