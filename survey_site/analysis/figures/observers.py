"""People against simulated observers: a scatter of conditions for each observer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from survey_site.analysis.figures.figure import BLUE, GRID, INK, Figure, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLUMNS = (
    *("observer", "condition", "is_control", "people", "people_low", "people_high", "n_responses"),
    *("observer_score", "n_trials", "n_ties", "nearer_target", "n_iris", "stir", "stir_start", "cosine"),
)
PANELS_A_ROW = 3
PANEL_HEIGHT = 3.1  # inches
FEWEST_DRAWN = 1


def observer_figure(report: Mapping[str, Any], labels: Mapping[str, str]) -> Figure | None:
    """One panel per observer that judged something that people answered; None without any."""
    drawn = [one for one in report.get("observers", []) if len(compared(one)) >= FEWEST_DRAWN]
    if not drawn:
        return None
    return Figure(
        name="observers",
        title="People and simulated observers",
        caption=(
            "Each point is a condition: the share of people's choices of the target with its interval, "
            "against the observer's share on the same trials (ties count one half). Dashed: equal shares. "
            "Hollow points are controls, which the correlations leave out."
        ),
        description="People against observers by condition. " + " ".join(_said(one, labels) for one in drawn),
        columns=COLUMNS,
        rows=[row for one in drawn for row in _rows(one, labels)],
        height=0.4 + PANEL_HEIGHT * ceil(len(drawn) / PANELS_A_ROW),
        draw=lambda canvas: _draw(canvas, drawn),
    )


def compared(observer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The conditions that both people and the observer scored."""
    return [
        score for score in observer["scores"] if score["people"] is not None and score["observer"] is not None
    ]


def _rows(observer: Mapping[str, Any], labels: Mapping[str, str]) -> list[list[Any]]:
    return [
        [
            observer["label"],
            labels.get(score["condition"], score["condition"]),
            int(score["is_control"]),
            score["people"],
            score["people_low"],
            score["people_high"],
            score["n_responses"],
            score["observer"],
            score["n_trials"],
            score["n_ties"],
            score["nearer_target"],
            score["n_iris"],
            *((score["transfer"] or {}).get(name) for name in ("stir", "stir_start", "cosine")),
        ]
        for score in compared(observer)
    ]


def _said(observer: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    points = "; ".join(
        f"{labels.get(score['condition'], score['condition'])}: people {score['people']:.2f}, "
        f"observer {score['observer']:.2f}"
        for score in compared(observer)
    )
    r = observer["pearson"]
    how = "no correlation" if r is None else f"Pearson's r {r['estimate']:.2f} over {r['n']} conditions"
    return f"{observer['label']} ({how}): {points}."


def _draw(canvas: Canvas, drawn: Sequence[Mapping[str, Any]]) -> None:
    rows = ceil(len(drawn) / PANELS_A_ROW)
    panels = canvas.subplots(rows, PANELS_A_ROW, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, observer in zip(panels, drawn, strict=False):
        _draw_panel(axes, observer)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    for place, axes in enumerate(panels[: len(drawn)]):
        if place % PANELS_A_ROW == 0:
            axes.set_ylabel("People")
        if place + PANELS_A_ROW >= len(drawn):
            axes.set_xlabel("Observer")
            axes.tick_params(labelbottom=True)


def _draw_panel(axes: Axes, observer: Mapping[str, Any]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.5)
    for score in compared(observer):
        x, y = score["observer"], score["people"]
        axes.plot([x, x], [score["people_low"], score["people_high"]], color=BLUE, linewidth=1.5)
        face = "white" if score["is_control"] else BLUE
        axes.plot([x], [y], marker="o", markersize=7, color=BLUE, markerfacecolor=face, linestyle="none")
    r = observer["pearson"]
    said = "" if r is None else f"\nr = {r['estimate']:.2f}, n = {r['n']}"
    axes.set_title(label(observer["label"], 30) + said, fontsize=10)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    # Short, so that the ends of two neighbours' axes do not touch.
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_aspect("equal")
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
