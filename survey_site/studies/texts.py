"""A study's texts: the researcher's Markdown in, sanitised HTML out."""

import hashlib

import nh3
from markdown_it import MarkdownIt

FIELDS = ("welcome", "consent", "instructions", "debrief", "refused")
#: Where empty, the page has words of its own in the participant's language.
OPTIONAL_FIELDS = (
    "practice", "practice_failed", "break_text", "full", "phone_refused", "paused", "closed",
)  # fmt: skip

ALLOWED_TAGS = {
    "a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def render(markdown: str) -> str:
    """HTML of the Markdown: no raw HTML, no scripts, no images, links open apart."""
    html = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return nh3.clean(
        html,
        tags=ALLOWED_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )


def consent_version(markdown: str) -> str:
    """12 hex digits that change when the consent text does."""
    return hashlib.sha256(markdown.encode()).hexdigest()[:12]


DEFAULT_TEXTS = {
    "title": "Which picture looks most alike?",
    "welcome": (
        "Thank you for your interest. You will see pictures and be asked what they look like. There are no "
        "right or wrong answers: we want to know how the pictures look *to you*.\n\n"
        "You must be at least 18 years old to take part."
    ),
    "consent": (
        "Taking part is voluntary. You may stop at any time by closing this page.\n\n"
        "We store your choices, how long they took, and technical facts about your screen and browser. We "
        "do not store your name, and results are published without anything that could identify you.\n\n"
        "You must be at least 18 years old to take part."
    ),
    # The page adds what each format asks and its keys, in the page's language.
    "instructions": (
        "Some pictures look like noise. Answer by your first impression: there are no right or wrong answers."
    ),
    "debrief": (
        "You compared pictures made by a computer with the pictures that they were made from. To the "
        "computer's network both are the same. Your answers tell us whether they are the same to people, too."
    ),
    "refused": "That is all right. We keep only that somebody declined, no answers. You may close this page.",
}
