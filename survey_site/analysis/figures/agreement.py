"""How much people agree with each other in each condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from survey_site.analysis.figures.figure import MARKERS, SERIES, Figure, label, tidy, value_or_none
from survey_site.analysis.report import in_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

#: By key of a condition's score in the report: what it is called, and where its number is.
MEASURES: Mapping[str, tuple[str, str | None]] = {
    "fleiss_kappa": ("Fleiss’ kappa", None),
    "krippendorff_alpha": ("Krippendorff’s alpha", None),
    "error_consistency": ("Error consistency", "mean"),
    "split_half": ("Split half (Spearman-Brown)", "reliability"),
}


def agreement_figure(report: Mapping[str, Any], labels: Mapping[str, str]) -> Figure | None:
    """One line per condition, one marker per measure; None if no measure is defined anywhere."""
    rows = [
        [labels[score["condition"]], *(measure(score, key) for key in MEASURES)] for score in in_order(report)
    ]
    if all(value is None for row in rows for value in row[1:]):
        return None
    return Figure(
        name="agreement",
        title="Agreement between participants",
        caption=(
            "1 is perfect agreement, 0 what chance would give. Error consistency is the mean over pairs of "
            "participants; the split half correlates the item scores of random halves of the participants; "
            "where they correlate negatively it has no value."
        ),
        description="Agreement by condition. " + "; ".join(_said(row) for row in rows) + ".",
        columns=["name", *MEASURES],
        rows=rows,
        height=1.9 + 0.42 * len(rows),
        draw=lambda canvas: _draw(canvas, rows),
    )


def measure(score: Mapping[str, Any], key: str) -> float | None:
    """One of MEASURES of a condition; None where it is undefined."""
    return value_or_none(score[key], MEASURES[key][1])


def _said(row: Sequence[Any]) -> str:
    values = zip(MEASURES.values(), row[1:], strict=True)
    return f"{row[0]}: " + ", ".join(
        f"{name} {'undefined' if value is None else format(value, '.2f')}" for (name, _), value in values
    )


def _draw(canvas: Canvas, rows: Sequence[Sequence[Any]]) -> None:
    axes = canvas.add_subplot()
    for number, (name, _) in enumerate(MEASURES.values()):
        places = [place for place, row in enumerate(rows) if row[1 + number] is not None]
        axes.plot(
            [rows[place][1 + number] for place in places],
            [place + 0.12 * (number - 1.5) for place in places],
            marker=MARKERS[number],
            color=SERIES[number],
            linestyle="none",
            markersize=7,
            clip_on=False,
            label=name,
        )
    values = [value for row in rows for value in row[1:] if value is not None]
    axes.set_xlim(min(-0.05, *values) - 0.03, 1.03)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), [label(row[0]) for row in rows])
    axes.set_xlabel("Agreement")
    tidy(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0, ncols=2)
