"""All statistics of one study as one JSON-able dictionary, from its responses alone. Pure numpy and scipy.

A statistic without an answer (one participant, no repeats, nobody rated confidence) is `{"undefined": why}`,
never a number.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from survey_site.analysis import agreement, breakdowns, reaction_times, reliability, report_warnings
from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.calibration import calibration
from survey_site.analysis.canonical import canonical, second_answers
from survey_site.analysis.comparisons import SCOPES, comparable_pairs, compare_conditions
from survey_site.analysis.condition_levels import levels_of_cells
from survey_site.analysis.mixed_logit import fit_mixed_logit, without_flat
from survey_site.analysis.normalised import CeilingCells, normalised_with_interval
from survey_site.analysis.ranking import rank_networks
from survey_site.analysis.responses import (
    MATCHING,
    ItemCells,
    ResponseRow,
    answer_table,
    is_scored,
    item_cells,
    numbers,
    ratings,
    repeats,
    timed,
)
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.scoring import ConditionScore, score_table
from survey_site.analysis.signal_detection import side_bias

#: The mixed model is fitted unasked up to here; it takes seconds then.
MIXED_MODEL_ROWS = 20_000
#: With fewer participants or items a two-way interval has so few degrees of freedom that it says little.
ENOUGH = 5


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """margin: what counts as no difference in equivalence tests, as a share. mixed_model: None fits it up to
    MIXED_MODEL_ROWS scored rows. n_splits: splits of the split-half reliability."""

    score: ScoreSettings = field(default_factory=ScoreSettings)
    margin: float = 0.1
    mixed_model: bool | None = None
    n_splits: int = 1000


def alignment_report(
    rows: Sequence[ResponseRow],
    *,
    conditions: Sequence[Mapping[str, str]],
    settings: ReportSettings | None = None,
) -> dict[str, Any]:
    """Everything about `rows`, those with `excluded_by` left out; scores also with them.

    The order of the rows and the names of participants do not matter, to the last bit. `warnings` says what a
    reader must know about all of it, beside the warnings of each score. Raises ScoringError where somebody
    answered a trial twice and nothing tells which answer came first (`canonical.second_answers`).

    conditions: all of the study, as the rows of conditions.csv; those that nobody answered are named, and
    networks are compared by their factors and ranked. `scopes` says what the p values of comparisons and the
    errors of the ranking speak of: other participants and trials, or other participants and exactly these.
    """
    settings = settings or ReportSettings()
    rows = canonical(rows)
    kept = [row for row in rows if not row.excluded_by]
    table, factors = answer_table(kept), levels_of_cells(conditions)
    compared, not_compared = _compared(table, conditions)
    scores, scored = score_table(table, settings=settings.score), _scored_by_condition(kept)
    report = {
        "conditions": [dict(condition) for condition in conditions],
        "rows": _row_counts(rows, kept),
        "warnings": [*_row_warnings(rows, kept), *report_warnings.not_compared(**not_compared)],
        "not_compared": not_compared,
        "catch": _catch(rows),
        "scores": [_condition(score, scored[score.condition], settings) for score in scores],
        "scores_without_exclusions": [
            score_json(score) for score in score_table(answer_table(rows), settings=settings.score)
        ],
        "conditions_without_answers": sorted(
            {row["condition"] for row in conditions} - set(table.seen_conditions())
        ),
        "factors": {name: _factor(table, levels, settings) for name, levels in factors.items()},
        "target_classes": _or_why(lambda: _target_classes(table, kept, settings)),
        "by_participant": [asdict(share) for share in breakdowns.by_participant(table)],
        "by_item": [asdict(share) for share in breakdowns.by_item(table)],
        "scopes": SCOPES,
        "comparisons": [
            asdict(difference)
            for difference in compare_conditions(
                table,
                compared,
                margin=settings.margin,
                confidence=settings.score.confidence,
                draws=settings.score.replicates,
                rng_seed=settings.score.rng_seed,
            )
        ],
        "ranking": _or_why(
            lambda: [asdict(strength) for strength in rank_networks(table, factors.get("network", {}))]
        ),
        "mixed_model": _mixed_model(table, settings),
        "retest": _or_why(lambda: _retest(kept, settings)),
        "settings": {
            **asdict(settings.score),
            "margin": settings.margin,
            "n_splits": settings.n_splits,
        },
    }
    return {name: finite(part) for name, part in report.items()}


def in_order(report: Mapping[str, Any], part: str = "scores") -> list[Any]:
    """The scores of a report (or `scores_without_exclusions`) in the order of its conditions."""
    places = {row["condition"]: place for place, row in enumerate(report["conditions"])}
    return sorted(report[part], key=lambda score: places[score["condition"]])


def finite(value: Any) -> Any:
    """The same with None for every number that JSON does not have: NaN and the infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(part) for name, part in value.items()}
    return [finite(part) for part in value] if isinstance(value, list | tuple) else value


def score_json(score: ConditionScore) -> dict[str, Any]:
    """A score as JSON: its figures, intervals by name and warnings."""
    return {
        "condition": score.condition,
        "score": score.estimate,
        "n": score.n,
        "hits": score.hits,
        "n_participants": score.n_participants,
        "n_items": score.n_items,
        "participant_mean": score.participant_mean,
        "item_mean": score.item_mean,
        "chance": score.chance,
        "d_prime": score.d_prime,
        "d_prime_note": score.d_prime_note,
        "intervals": {name: asdict(interval) for name, interval in score.intervals.items()},
        "warnings": [*score.warnings, *_too_few(score)],
    }


def _too_few(score: ConditionScore) -> list[str]:
    counts = {"participants": score.n_participants, "items": score.n_items}
    return [
        f"{n} {what} are too few for an interval that says much; {ENOUGH} or more are wanted"
        for what, n in counts.items()
        if 1 < n < ENOUGH
    ]


def _compared(
    table: AnswerTable, conditions: Sequence[Mapping[str, str]]
) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Pairs of equal chance without controls, whose scores follow by construction: they would cost power.

    And how many pairs are left out for their chance, that differs or is not known.
    """
    controls = {row["condition"] for row in conditions if row["shows"] != "iri"}
    names = [name for name in table.seen_conditions() if name not in controls]
    known = [name for name in names if 0 not in table.options_of(name)]
    pairs, n_known = comparable_pairs(table, names), math.comb(len(known), 2)
    return pairs, {"n_unequal": n_known - len(pairs), "n_unknown": math.comb(len(names), 2) - n_known}


def _row_warnings(rows: Sequence[ResponseRow], kept: Sequence[ResponseRow]) -> list[str]:
    return [
        *report_warnings.mixed_modes({row.mode for row in kept if is_scored(row)}),
        *report_warnings.unmarked_repeats(len(second_answers(kept))),
        *report_warnings.unnamed_presentations(sum(not row.presentation for row in rows)),
    ]


def _catch(rows: Sequence[ResponseRow]) -> dict[str, int]:
    """Answered catch trials of everybody, and those of them answered right."""
    answered = [row for row in rows if row.kind == "catch" and row.is_correct is not None]
    return {"n": len(answered), "right": sum(bool(row.is_correct) for row in answered)}


def _scored_by_condition(kept: Sequence[ResponseRow]) -> dict[str, list[ResponseRow]]:
    by_condition: dict[str, list[ResponseRow]] = {}
    for row in filter(is_scored, kept):
        by_condition.setdefault(row.condition, []).append(row)
    return by_condition


def _condition(
    score: ConditionScore, rows: Sequence[ResponseRow], settings: ReportSettings
) -> dict[str, Any]:
    """One condition's score with all that describes it; `rows` are its scored rows."""
    right = np.array([bool(row.is_correct) for row in rows])
    rated = numbers(row.confidence for row in rows)
    rt, all_right, people = timed(rows)
    correct, chosen = ratings(rows, by="correct"), ratings(rows, by="choice")
    ceiling = _or_why(lambda: asdict(reliability.noise_ceiling(chosen)))
    return {
        **score_json(score),
        "ceiling": ceiling,
        "normalised": _or_why(lambda: _normalised(score, ceiling, rows, chosen)),
        "side_bias": _or_why(lambda: _side_bias(rows)),
        "reaction_times": _or_why(lambda: asdict(reaction_times.summarise(rt, all_right))),
        "speed_accuracy": _or_why(
            lambda: [asdict(place) for place in reaction_times.speed_accuracy(rt, all_right, people)]
        ),
        "confidence": _or_why(lambda: asdict(calibration(rated, right))),
        "fleiss_kappa": _or_why(lambda: agreement.fleiss_kappa(correct)),
        "krippendorff_alpha": _or_why(lambda: agreement.krippendorff_alpha(correct)),
        "error_consistency": _or_why(lambda: asdict(agreement.mean_error_consistency(correct))),
        "split_half": _or_why(lambda: _split_half(rows, settings)),
    }


def _or_why(statistic: Callable[[], Any]) -> Any:
    """What the statistic says, or why it has nothing to say."""
    try:
        return statistic()
    except ScoringError as error:
        return {"undefined": str(error)}


def _normalised(
    score: ConditionScore, ceiling: Mapping[str, Any], rows: Sequence[ResponseRow], chosen: agreement.Ratings
) -> dict[str, Any]:
    if score.chance is None:
        raise ScoringError("the number of options is not known for every row, so chance is not known")
    if "undefined" in ceiling:
        raise ScoringError(str(ceiling["undefined"]))
    cells, chance = item_cells(rows), score.chance
    return {
        f"by_{which}_ceiling": _or_why(
            lambda which=which: asdict(  # type: ignore[misc]
                normalised_with_interval(
                    _ceiling_cells(cells, chosen, with_own=which == "upper"),
                    chance=chance,
                    confidence=score.settings.confidence,
                )
            )
        )
        for which in ("lower", "upper")
    }


def _ceiling_cells(cells: ItemCells, chosen: agreement.Ratings, *, with_own: bool) -> CeilingCells:
    """Units summed into their items."""
    agreeing = reliability.agreeing(chosen, with_own=with_own)
    of_item = np.eye(cells.answers.shape[1])[cells.item_of_unit]
    return CeilingCells(
        answers=cells.answers,
        hits=cells.hits,
        rated=~np.isnan(agreeing) @ of_item,
        agreeing=np.nan_to_num(agreeing) @ of_item,
    )


def _side_bias(rows: Sequence[ResponseRow]) -> dict[str, Any]:
    if any(row.n_options != 2 or row.trial_format == MATCHING for row in rows):
        raise ScoringError("side bias needs trials of one reference and two options")
    placed = [row for row in rows if row.place is not None and row.answer_place is not None]
    chosen = np.array([row.place for row in placed], dtype=np.int64)
    return asdict(side_bias(chosen, np.array([row.answer_place for row in placed], dtype=np.int64)))


def _split_half(rows: Sequence[ResponseRow], settings: ReportSettings) -> dict[str, Any]:
    cells = answer_table(rows).cells(rows[0].condition)
    return asdict(reliability.split_half(cells, n_splits=settings.n_splits, rng_seed=settings.score.rng_seed))


def _factor(table: AnswerTable, levels: Mapping[str, str], settings: ReportSettings) -> Any:
    return _or_why(
        lambda: [score_json(score) for score in breakdowns.by_factor(table, levels, settings=settings.score)]
    )


def _target_classes(
    table: AnswerTable, kept: Sequence[ResponseRow], settings: ReportSettings
) -> list[dict[str, Any]]:
    classes = [row.target_label for row in kept if is_scored(row)]
    return [
        score_json(score) for score in breakdowns.by_target_class(table, classes, settings=settings.score)
    ]


def _mixed_model(table: AnswerTable, settings: ReportSettings) -> Any:
    asked = len(table) <= MIXED_MODEL_ROWS if settings.mixed_model is None else settings.mixed_model
    if not asked:
        return {"undefined": f"not asked for; fitted unasked up to {MIXED_MODEL_ROWS} answers"}
    return _or_why(lambda: _fitted(table, settings))


def _fitted(table: AnswerTable, settings: ReportSettings) -> dict[str, Any]:
    kept, flat = without_flat(table)
    fit = fit_mixed_logit(kept if len(kept) else table, confidence=settings.score.confidence)
    said = f"left out, since all answers are right or all wrong: {', '.join(flat)}" if flat else ""
    note = "; ".join(filter(None, [said, fit.note]))
    return {**asdict(fit), "covariance": fit.covariance.tolist(), "note": note, "left_out": flat}


def _retest(kept: Sequence[ResponseRow], settings: ReportSettings) -> dict[str, Any]:
    return asdict(reliability.retest(**repeats(kept)._asdict(), settings=settings.score))


def _row_counts(rows: Sequence[ResponseRow], kept: Sequence[ResponseRow]) -> dict[str, int]:
    return {
        "read": len(rows),
        "excluded": len(rows) - len(kept),
        "not_main": sum(row.kind != "main" for row in kept),
        "unanswered": sum(row.kind == "main" and row.is_correct is None for row in kept),
        "scored": sum(map(is_scored, kept)),
    }
