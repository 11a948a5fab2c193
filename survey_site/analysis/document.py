"""What a page or a report says of a study's stored results."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from survey_site.analysis.figures.agreement import MEASURES, measure
from survey_site.analysis.figures.factors import constant_factors
from survey_site.analysis.figures.figure import value_or_none
from survey_site.analysis.footnotes import Footnotes
from survey_site.analysis.models import StudyResults
from survey_site.analysis.observer_view import observer_tables
from survey_site.analysis.report import in_order
from survey_site.analysis.report_warnings import of_conditions
from survey_site.analysis.rule_text import rule_title
from survey_site.stimuli.models import StoredImage
from survey_site.studies.models import Trial

INTERVALS = {
    "twoway": "Two-way (default)",
    "cluster": "Cluster sums",
    "bootstrap": "Bootstrap (participants)",
    "crossed": "Crossed bootstrap",
    "wilson": "Wilson",
    "clopper_pearson": "Clopper-Pearson",
}
MOST_COMPARISONS = 30

ImageSource = Callable[[StoredImage], str]


def document_of(results: StudyResults, *, source: ImageSource) -> dict[str, Any]:
    """The parts of the document; empty where nothing was answered. `source`: an image's address in it."""
    report = results.report
    if not report:
        return {"results": results, "rows": []}
    labels = {row["condition"]: row["label"] for row in report["conditions"]}
    figures = {figure.name: figure for figure in results.figures.all()}
    notes = {name: Footnotes() for name in ("scores", "intervals", "comparisons")}
    return {
        "results": results,
        "report": report,
        "rows": [_row(score, labels, notes) for score in in_order(report)],
        "interval_names": list(INTERVALS.values()),
        "measures": [name for name, _ in MEASURES.values()],
        "warnings": [
            *report["warnings"],
            *of_conditions({labels[score["condition"]]: score["warnings"] for score in report["scores"]}),
        ],
        "figures": figures,
        "factor_figures": [figure for name, figure in figures.items() if name.startswith("by-")],
        "with_and_without": figures.get("with-and-without"),
        "constants": constant_factors(report),
        "without_answers": [labels[slug] for slug in report["conditions_without_answers"]],
        "rules": [
            {"title": rule_title(rule), **rule, "n": report["exclusions"]["flow"]["any_rule"][rule["rule"]]}
            for rule in report["exclusions"]["rules"]
        ],
        "left_out": _left_out(report),
        "examples": _examples(results.examples, labels, source),
        "observers": observer_tables(report, labels),
        "comparisons": _comparisons(report["comparisons"], labels, notes["comparisons"]),
        "n_comparisons": len(report["comparisons"]),
        "n_tested": sum(one["p_value"] is not None for one in report["comparisons"]),
        "catch": report["catch"]["right"] / report["catch"]["n"] if report["catch"]["n"] else None,
        "notes": {name: of_table.texts for name, of_table in notes.items()},
    }


def data_uri(image: StoredImage) -> str:
    """The image itself as an address, for files that must stand alone; empty if its file is gone."""
    try:
        with image.file.open("rb") as file:
            return f"data:{image.media_type};base64,{base64.b64encode(file.read()).decode()}"
    except FileNotFoundError:
        return ""


def _row(
    score: Mapping[str, Any], labels: Mapping[str, str], notes: Mapping[str, Footnotes]
) -> dict[str, Any]:
    """A condition's figures, None where a statistic is undefined, with the numbers of their notes."""
    return {
        **score,
        "label": labels[score["condition"]],
        "interval": _noted(score["intervals"]["twoway"], notes["scores"]),
        "all_intervals": [_noted(score["intervals"][name], notes["intervals"]) for name in INTERVALS],
        "ceiling_lower": value_or_none(score["ceiling"], "lower"),
        "ceiling_upper": value_or_none(score["ceiling"], "upper"),
        "normalised": _noted(_normalised(score), notes["scores"]),
        "d_prime_mark": notes["scores"].number(score["d_prime_note"]),
        "agreement": [measure(score, key) for key in MEASURES],
        "first_side": value_or_none(score["side_bias"], "first_share"),
        "median_rt": None
        if "undefined" in score["reaction_times"]
        else value_or_none(score["reaction_times"]["all"], "median"),
    }


def _noted(statistic: Mapping[str, Any], notes: Footnotes) -> dict[str, Any]:
    """With the number of its note, or of the reason why it is undefined."""
    return {**statistic, "mark": notes.number(statistic.get("undefined", "") or statistic.get("note", ""))}


def _normalised(score: Mapping[str, Any]) -> Mapping[str, Any]:
    """By the lower ceiling, with its interval; or why there is none."""
    by_lower: Mapping[str, Any] = score["normalised"].get("by_lower_ceiling", score["normalised"])
    return by_lower


def _left_out(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every verdict, session by session."""
    titles = {rule["rule"]: rule_title(rule) for rule in report["exclusions"]["rules"]}
    return [{**verdict, "title": titles[verdict["rule"]]} for verdict in report["exclusions"]["sessions"]]


def _comparisons(
    compared: Sequence[Mapping[str, Any]], labels: Mapping[str, str], notes: Footnotes
) -> list[dict[str, Any]]:
    """The smallest p values first; without one, last."""
    ranked = sorted(compared, key=lambda one: 2 if one["p_value"] is None else one["p_value"])
    return [
        {
            **difference,
            "first": labels[difference["first"]],
            "second": labels[difference["second"]],
            "mark": notes.number(difference["note"]),
            "mark_of_these_trials": notes.number(difference["over_participants"]["note"]),
        }
        for difference in ranked[:MOST_COMPARISONS]
    ]


def _examples(
    examples: Mapping[str, Sequence[Mapping[str, Any]]], labels: Mapping[str, str], source: ImageSource
) -> list[dict[str, Any]]:
    """Groups of trials with their images; trials that no longer exist are left out."""
    wanted = [example["trial"] for group in examples.values() for example in group]
    trials = Trial.objects.filter(pk__in=wanted).prefetch_related(
        "references__image", "references__answer__image", "options__image"
    )
    found = {str(trial.pk): trial for trial in trials}
    titles = {"best": "Targets chosen most often", "worst": "Targets chosen least often"}
    return [
        {
            "title": titles[name],
            "trials": [
                {
                    **example,
                    "label": labels[example["condition"]],
                    **_pictures(found[example["trial"]], source),
                }
                for example in group
                if example["trial"] in found
            ],
        }
        for name, group in examples.items()
        if group
    ]


def _pictures(trial: Trial, source: ImageSource) -> dict[str, Any]:
    """The first reference, the option that answers it, and the other options."""
    reference = trial.references.all()[0]
    others = [option for option in trial.options.all() if option.pk != reference.answer_id]
    shown: list[tuple[str, Any]] = [
        ("shown", reference),
        ("target", reference.answer),
        *(("foil", option) for option in others),
    ]
    return {"pictures": [_picture(role, one, source) for role, one in shown]}


def _picture(role: str, shown: Any, source: ImageSource) -> dict[str, str]:
    """A reference or an option; in words where it has no image, or where the image's file is gone."""
    src = source(shown.image) if shown.image else ""
    text = getattr(shown, "label", "") or ("" if src else "image missing" if shown.image else "no image")
    return {"role": role, "src": src, "text": text}
