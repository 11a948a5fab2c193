"""Figures as SVG that can stand inside a page: no scripts, no inline styles, a title and a description."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from survey_site.analysis.models import AlignmentScore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette: told apart with any colour vision. Chance is dashed as well, not by colour alone.
BLUE, VERMILION, INK, GRID = "#0072B2", "#D55E00", "#222222", "#DDDDDD"
LABEL_WIDTH = 36  # characters; longer slugs go over several lines
SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"


def forest_svg(scores: Sequence[AlignmentScore]) -> str:
    """A forest plot: one line per condition with its score, default interval and chance, as an <svg> element.

    `scores` as `services.score_study` returns them, at least one. Raises ValueError for none.
    """
    if not scores:
        raise ValueError("no scores to draw; a forest plot needs at least one")
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # costs half a second: only when drawn
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.5 + 0.42 * len(scores)), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    _draw_forest(axes, scores)
    text = io.StringIO()
    figure.savefig(text, format="svg", facecolor="white", metadata={"Date": None})
    return _for_a_page(text.getvalue(), title="Human-alignment scores", description=describe(scores))


def describe(scores: Sequence[AlignmentScore]) -> str:
    """The figure in words: every condition's score, interval, number of responses and chance."""
    confidence = f"{scores[0].settings['confidence']:.0%}"
    lines = [
        f"{score.condition.slug}: {score.estimate:.2f} ({confidence} interval {score.interval().low:.2f} to "
        f"{score.interval().high:.2f}, {score.n} responses, chance {score.chance:.2f})"
        for score in scores
    ]
    return "Share of choices of the target by condition. " + "; ".join(lines) + "."


def _draw_forest(axes: Axes, scores: Sequence[AlignmentScore]) -> None:
    places = range(len(scores))
    for place, score in zip(places, scores, strict=True):
        interval = score.interval()
        axes.plot([interval.low, interval.high], [place, place], color=BLUE, linewidth=2.5)
        axes.plot([score.estimate], [place], marker="o", markersize=8, color=BLUE, linestyle="none")
        figures = f"{score.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}]  n = {score.n}"
        axes.text(1.03, place, figures, va="center", color=INK, transform=axes.get_yaxis_transform())
        axes.plot([score.chance] * 2, [place - 0.5, place + 0.5], color=VERMILION, linestyle=(0, (4, 3)))
    axes.plot([], [], color=VERMILION, linestyle=(0, (4, 3)), label="chance")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_yticks(places, [fill(score.condition.slug, LABEL_WIDTH) for score in scores])
    confidence = scores[0].settings["confidence"]
    axes.set_xlabel(f"Share of choices of the target ({confidence:.0%} two-way interval)")
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _for_a_page(document: str, *, title: str, description: str) -> str:
    """Matplotlib's document as an element: described, scalable, with styles as attributes and ids of its own.

    A strict Content-Security-Policy refuses `style` attributes and elements, and a page may hold many
    figures. The same figure gives the same text.
    """
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", XLINK)
    root = ET.fromstring(document)  # noqa: S314 - matplotlib wrote it a moment ago
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}style" or child.tag == f"{{{SVG}}}metadata":
                parent.remove(child)
    _styles_as_attributes(root)
    figure = f"figure-{hashlib.sha256(description.encode()).hexdigest()[:8]}"
    _rename_ids(root, prefix=f"{figure}-")
    root.attrib.pop("height", None)
    root.attrib.update(
        {
            "width": "100%",
            "role": "img",
            "aria-labelledby": f"{figure}-title {figure}-desc",
            "stroke-linejoin": "round",
            "stroke-linecap": "butt",
        }
    )
    for place, (name, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{{{SVG}}}{name}")
        element.set("id", f"{figure}-{name}")
        element.text = text
        root.insert(place, element)
    return ET.tostring(root, encoding="unicode")


def _styles_as_attributes(root: Any) -> None:
    for element in root.iter():
        for declaration in filter(None, map(str.strip, element.attrib.pop("style", "").split(";"))):
            name, value = declaration.split(":", 1)
            element.set(name.strip(), value.strip())


def _rename_ids(root: Any, *, prefix: str) -> None:
    """Ids by order of occurrence: matplotlib's are random."""
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    names = {old: f"{prefix}{number}" for number, old in enumerate(ids)}
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, names[value])
            elif name == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(name, f"#{names[value[1:]]}")
            elif value.startswith("url(#"):
                element.set(name, f"url(#{names[value[5:-1]]})")
