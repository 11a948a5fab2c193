"""Who was left out and why, as a flow chart after CONSORT (Schulz et al. 2010, BMJ 340:c332)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from survey_site.analysis.figures.figure import BLUE, INK, NO_BREAK, Cell, Figure, plain_lines
from survey_site.analysis.rule_text import rule_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

STEP = 1.0  # inches from box to box
BOX_WIDTH = 44  # characters


@dataclass(frozen=True)
class Step:
    """`said` stands in the column; `left` says who leaves below it, empty if nobody."""

    said: str
    n: int
    left: Sequence[tuple[str, int]] = ()


def flow_chart(report: Mapping[str, Any]) -> Figure:
    """From those who opened the page to those whose answers are analysed."""
    steps = flow_steps(report)
    return Figure(
        name="exclusions",
        title="Who was left out and why",
        caption=(
            "Counts of sessions. A session that several rules leave out is counted at the first of them."
        ),
        description="; ".join(_said(step) for step in steps) + ".",
        columns=("step", "sessions", "what"),
        rows=[row for step in steps for row in _rows(step)],
        height=STEP * (len(steps) + sum(max(0, len(step.left) - 1) * 0.3 for step in steps)),
        draw=lambda canvas: _draw(canvas, steps),
    )


def flow_steps(report: Mapping[str, Any]) -> list[Step]:
    """The boxes of the column, from top to bottom."""
    sessions, flow = report["sessions"], report["exclusions"]["flow"]
    titles = {rule["rule"]: rule_title(rule) for rule in report["exclusions"]["rules"]}
    unfinished = report["unfinished"]["sessions"]
    included = f", {unfinished} of them unfinished" if unfinished else ""
    return [
        Step(
            "Opened the page",
            sessions["opened"],
            [
                ("screened out: device", sessions["refused_device"]),
                ("declined consent", sessions["declined"]),
                ("did not decide", sessions["undecided"]),
            ],
        ),
        Step(
            "Consented",
            sessions["started"],
            [("gave no answer", max(0, sessions["started"] - flow["assessed"]))],
        ),
        Step(
            "Gave answers",
            flow["assessed"],
            [(titles[name], n) for name, n in flow["by_rule"].items()] or [("no exclusion rules", 0)],
        ),
        Step(f"Analysed{included}", flow["kept"]),
    ]


def _rows(step: Step) -> list[list[Cell]]:
    left: list[list[Cell]] = [[why, n, "leaves"] for why, n in step.left]
    return [[step.said, step.n, "stays"], *left]


def _said(step: Step) -> str:
    left = ", ".join(f"{n} left out: {why}" for why, n in step.left)
    return f"{step.said}: {step.n}" + (f" ({left})" if left else "")


def _draw(canvas: Canvas, steps: Sequence[Step]) -> None:
    axes = canvas.add_subplot()
    axes.set_axis_off()
    heights = [1 + 0.3 * max(0, len(step.left) - 1) for step in steps]
    tops = [sum(heights[:number]) for number in range(len(steps))]
    axes.set_xlim(0, 10)
    axes.set_ylim(sum(heights), 0)
    for number, (step, top, height) in enumerate(zip(steps, tops, heights, strict=True)):
        _box(axes, 2.3, top + 0.3, f"{step.said}\nn = {step.n}", BLUE)
        if number + 1 < len(steps):
            _arrow(axes, (2.3, top + 0.56), (2.3, top + height + 0.04))
        if step.left:
            middle = top + 0.3 + height / 2
            _arrow(axes, (2.3, middle), (4.55, middle))
            _lines(axes, 4.65, middle, step.left)


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    style = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": colour, "linewidth": 1.5}
    axes.text(x, y, plain_lines(text), ha="center", va="center", color=INK, bbox=style)


def _lines(axes: Axes, x: float, y: float, left: Sequence[tuple[str, int]]) -> None:
    style = {"boxstyle": "square,pad=0.5", "facecolor": "#F4F4F4", "edgecolor": "#999999"}
    lines = [
        line
        for why, n in left
        for line in wrap(f"{why}: n{NO_BREAK}={NO_BREAK}{n}", BOX_WIDTH, subsequent_indent="   ")
    ]
    axes.text(x, y, plain_lines("\n".join(lines)), ha="left", va="center", color=INK, bbox=style, fontsize=9)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.2})
