"""What a page complains about where people do not look: the browser's console."""

from playwright.sync_api import ConsoleMessage, Page


class Complaints:
    """Errors and refusals of the content security policy, gathered from a page's console."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.texts.append(f"{error} on {page.url}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert") or "Content Security Policy" in message.text:
            self.texts.append(message.text)

    def besides(self, expected: str) -> list[str]:
        return [text for text in self.texts if expected not in text]
