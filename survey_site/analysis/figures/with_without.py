"""Scores with and without the sessions that were left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from survey_site.analysis.figures.figure import BLUE, VERMILION, Figure, label, tidy
from survey_site.analysis.figures.forest import INTERVAL
from survey_site.analysis.report import in_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Pair = tuple[str, Mapping[str, Any] | None, Mapping[str, Any]]
COLUMNS = (
    "name",
    *("after_exclusions", "after_low", "after_high", "after_n"),
    *("with_everybody", "everybody_low", "everybody_high", "everybody_n"),
)
KINDS = (("o", BLUE, "after exclusions"), ("s", VERMILION, "with everybody"))


def with_and_without(report: Mapping[str, Any], labels: Mapping[str, str]) -> Figure | None:
    """Both scores of each condition; None where nobody was left out."""
    if not report["rows"]["excluded"]:
        return None
    kept = {score["condition"]: score for score in report["scores"]}
    pairs: list[Pair] = [
        (labels[score["condition"]], kept.get(score["condition"]), score)
        for score in in_order(report, "scores_without_exclusions")
    ]
    return Figure(
        name="with-and-without",
        title="Scores with and without exclusions",
        caption="Filled circles: without the sessions left out; squares: with everybody. Two-way intervals.",
        description="Scores after exclusions, and with everybody. "
        + "; ".join(_said(*pair) for pair in pairs)
        + ".",
        columns=COLUMNS,
        rows=[[called, *_numbers(first), *_numbers(second)] for called, first, second in pairs],
        height=1.5 + 0.55 * len(pairs),
        draw=lambda canvas: _draw(canvas, pairs),
    )


def _numbers(score: Mapping[str, Any] | None) -> list[Any]:
    if score is None:
        return [None] * 4
    interval = score["intervals"][INTERVAL]
    return [score["score"], interval["low"], interval["high"], score["n"]]


def _said(called: str, kept: Mapping[str, Any] | None, everybody: Mapping[str, Any]) -> str:
    after = "no answer left" if kept is None else f"{kept['score']:.2f}"
    return f"{called}: {after}, {everybody['score']:.2f}"


def _draw(canvas: Canvas, pairs: Sequence[Pair]) -> None:
    axes = canvas.add_subplot()
    for place, (_, *both) in enumerate(pairs):
        for score, (marker, colour, _), shift in zip(both, KINDS, (-0.14, 0.14), strict=True):
            if score is not None:
                interval = score["intervals"][INTERVAL]
                axes.plot([interval["low"], interval["high"]], [place + shift] * 2, color=colour)
                axes.plot([score["score"]], [place + shift], marker=marker, color=colour, markersize=7)
    for marker, colour, called in KINDS:
        axes.plot([], [], marker=marker, color=colour, label=called)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0, ncols=2)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(pairs) - 0.5, -0.5)
    axes.set_yticks(range(len(pairs)), [label(called) for called, _, _ in pairs])
    axes.set_xlabel("Share of choices of the target")
    tidy(axes)
