"""A researcher's Markdown never becomes a script in a participant's page."""

from html.parser import HTMLParser

import pytest

from survey_site.studies.texts import ALLOWED_TAGS, DEFAULT_TEXTS, FIELDS, consent_version, render


class Found(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= set(attrs)


@pytest.mark.parametrize(
    "markdown",
    [
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "[click](JaVaScRiPt:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "[click](vbscript:x)",
        '<a href="https://example.org" onclick="alert(1)">x</a>',
        '<img src=x onerror="alert(1)">',
        "![tracker](https://example.org/pixel.png)",
        "<iframe src='https://example.org'></iframe>",
        "<style>body { display: none }</style>",
        "<svg onload=alert(1)>",
        "`<script>`\n\n    <script>alert(1)</script>",
        '[x](https://example.org "onmouseover=alert(1)")',
    ],
)
def test_nothing_that_runs_or_loads_comes_through(markdown: str) -> None:
    found = Found()
    found.feed(render(markdown))
    assert found.tags <= ALLOWED_TAGS
    assert {name for name, _ in found.attributes} <= {"href", "target", "rel", "title"}
    assert {value for name, value in found.attributes if name == "href"} <= {"https://example.org"}


def test_what_researchers_write_comes_through() -> None:
    html = render("# Hello\n\nSome *words* and **more**.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    for part in ("<h1>Hello</h1>", "<em>words</em>", "<strong>more</strong>", "<li>one</li>", "<td>1</td>"):
        assert part in html


def test_links_open_apart_and_tell_nothing() -> None:
    assert render("[us](https://example.org/a?b=1&c=2)") == (
        '<p><a href="https://example.org/a?b=1&amp;c=2" target="_blank" '
        'rel="noopener noreferrer">us</a></p>\n'
    )
    assert 'href="mailto:lab@example.org"' in render("[mail](mailto:lab@example.org)")


def test_a_consents_version_follows_its_text() -> None:
    assert consent_version("We store answers.") == consent_version("We store answers.")
    assert consent_version("We store answers.") != consent_version("We store all.")
    assert len(consent_version("")) == 12


def test_every_text_has_a_default() -> None:
    assert set(DEFAULT_TEXTS) == {"title", *FIELDS}
    assert all(render(text) for text in DEFAULT_TEXTS.values())
