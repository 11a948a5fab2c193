"""All figures of one study, from its report.

A report of `services.alignment_of`, or one that `score_csv` printed from the exported files::

    for figure in figures_of(json.loads(Path("report.json").read_text())):
        Path(f"{figure.name}.svg").write_text(figure.svg())
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from survey_site.analysis.figures.agreement import agreement_figure
from survey_site.analysis.figures.factors import factor_figures
from survey_site.analysis.figures.figure import Figure
from survey_site.analysis.figures.flow import flow_chart
from survey_site.analysis.figures.forest import forest
from survey_site.analysis.figures.observers import observer_figure
from survey_site.analysis.figures.profiles import layer_profiles
from survey_site.analysis.figures.with_without import with_and_without
from survey_site.analysis.report import in_order


def figures_of(report: Mapping[str, Any]) -> list[Figure]:
    """In the order in which a reader wants them; those that the report has nothing for are left out."""
    return [figure for figure in _all(report) if figure is not None]


def _all(report: Mapping[str, Any]) -> Iterator[Figure | None]:
    labels = {row["condition"]: row["label"] for row in report["conditions"]}
    if report["scores"]:
        confidence = report["settings"]["confidence"]
        yield forest(
            name="scores",
            title="Human-alignment scores",
            caption=(
                f"Score of each condition with its {confidence:.0%} two-way interval over participants and "
                "items; grey: the noise ceiling that people's own disagreement allows."
            ),
            scores=[(labels[score["condition"]], score) for score in in_order(report)],
            confidence=confidence,
        )
        yield layer_profiles(report)
        yield from factor_figures(report)
        yield agreement_figure(report, labels)
        yield observer_figure(report, labels)
        yield with_and_without(report, labels)
    if "exclusions" in report:
        yield flow_chart(report)
