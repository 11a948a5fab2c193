"""Forest plots: one line per condition, or per level of a factor, with score and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from survey_site.analysis.figures.figure import (
    BAND,
    BLUE,
    INK,
    VERMILION,
    Figure,
    label,
    tidy,
    value_or_none,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLUMNS = (
    "name",
    "score",
    "low",
    "high",
    "chance",
    "ceiling_lower",
    "ceiling_upper",
    "n",
    "n_participants",
    "n_items",
)
INTERVAL = "twoway"


def forest(
    *, name: str, title: str, caption: str, scores: Sequence[tuple[str, Mapping[str, Any]]], confidence: float
) -> Figure:
    """`scores`: what each line is called and its score as `report.score_json` gives it. At least one."""
    if not scores:
        raise ValueError("no scores to draw; a forest plot needs at least one")
    rows = [_row(called, score) for called, score in scores]
    return Figure(
        name=name,
        title=title,
        caption=caption,
        description=describe(title, scores, confidence),
        columns=COLUMNS,
        rows=rows,
        height=1.5 + 0.42 * len(scores),
        draw=lambda canvas: _draw(canvas, scores, confidence),
    )


def describe(title: str, scores: Sequence[tuple[str, Mapping[str, Any]]], confidence: float) -> str:
    """Every line in words."""
    return (
        f"{title}: share of choices of the target. "
        + "; ".join(_said(called, score, confidence) for called, score in scores)
        + "."
    )


def _said(called: str, score: Mapping[str, Any], confidence: float) -> str:
    interval = score["intervals"][INTERVAL]
    chance = "" if score["chance"] is None else f", chance {score['chance']:.2f}"
    return (
        f"{called}: {score['score']:.2f} ({confidence:.0%} interval {interval['low']:.2f} to "
        f"{interval['high']:.2f}, {score['n']} responses{chance})"
    )


def _row(called: str, score: Mapping[str, Any]) -> list[Any]:
    interval, ceiling = score["intervals"][INTERVAL], score.get("ceiling", {"undefined": ""})
    return [
        called,
        score["score"],
        interval["low"],
        interval["high"],
        score["chance"],
        value_or_none(ceiling, "lower"),
        value_or_none(ceiling, "upper"),
        score["n"],
        score["n_participants"],
        score["n_items"],
    ]


def _draw(canvas: Canvas, scores: Sequence[tuple[str, Mapping[str, Any]]], confidence: float) -> None:
    axes = canvas.add_subplot()
    for place, (_, score) in enumerate(scores):
        _draw_line(axes, place, score)
    _legend(axes, with_ceiling=any(_ceiling(score) for _, score in scores))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_yticks(range(len(scores)), [label(called) for called, _ in scores])
    axes.set_xlabel(f"Share of choices of the target ({confidence:.0%} two-way interval)")
    tidy(axes)


def _draw_line(axes: Axes, place: int, score: Mapping[str, Any]) -> None:
    interval = score["intervals"][INTERVAL]
    if ceiling := _ceiling(score):
        axes.barh(place, ceiling[1] - ceiling[0], left=ceiling[0], height=0.8, color=BAND, zorder=0.5)
        axes.plot([ceiling[0]] * 2, [place - 0.4, place + 0.4], color="#999999", linewidth=1)
    axes.plot([interval["low"], interval["high"]], [place, place], color=BLUE, linewidth=2.5)
    axes.plot([score["score"]], [place], marker="o", markersize=8, color=BLUE, linestyle="none")
    figures = f"{score['score']:.2f} [{interval['low']:.2f}, {interval['high']:.2f}]  n = {score['n']}"
    axes.text(1.03, place, figures, va="center", color=INK, transform=axes.get_yaxis_transform())
    if score["chance"] is not None:
        axes.plot([score["chance"]] * 2, [place - 0.5, place + 0.5], color=VERMILION, linestyle=(0, (4, 3)))


def _ceiling(score: Mapping[str, Any]) -> tuple[float, float] | None:
    ceiling = score.get("ceiling")
    if not ceiling or "undefined" in ceiling:
        return None
    return ceiling["lower"], ceiling["upper"]


def _legend(axes: Axes, *, with_ceiling: bool) -> None:
    axes.plot([], [], color=VERMILION, linestyle=(0, (4, 3)), label="chance")
    if with_ceiling:
        called = "noise ceiling, lower to upper"
        axes.fill_between([], [], [], color=BAND, edgecolor="#999999", label=called)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0, ncols=2)
