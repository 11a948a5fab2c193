"""What axe-core finds on a page. It runs from the repository's own copy, past the page's strict policy."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from survey_site.stack.options import BASE_DIR

AXE = Path(BASE_DIR) / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    """One line per element and rule of WCAG 2.2 A and AA, and of axe's best practices; none is none."""
    page.evaluate(AXE.read_text())  # evaluated, not added as an element: the policy forbids that
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{one['id']}: {node['html']} ({node['failureSummary']})"
        for one in found["violations"]
        for node in one["nodes"]
    ]
