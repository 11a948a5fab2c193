"""Simulated observers in a study's report: everything of `observer_services`, with resampled intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.correlation import over_people_and_items
from survey_site.analysis.models import Observation
from survey_site.analysis.observer_services import (
    ObserverComparison,
    PeopleScore,
    compare_with,
    credits_of,
)
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.studies.models import Study, StudyVersion

#: Of the bootstrap of correlations: it costs a product of matrices of all answers for each of them.
REPLICATES = 2000


def observer_report(
    study: Study,
    scores: Sequence[Mapping[str, Any]],
    table: AnswerTable,
    *,
    version: StudyVersion | None,
    settings: ScoreSettings,
) -> list[dict[str, Any]]:
    """Every observer asked about the study, as JSON.

    scores: people's, as `report.score_json` gives them. table: the answers behind them, whose items are
    trials' ids. `resampled` holds the intervals over people and items, or says why there are none.
    """
    people = {score["condition"]: _people(score) for score in scores}
    observations = {one.observer: one for one in study.observations.all()}
    return [
        {
            **asdict(comparison),
            "resampled": _resampled(comparison, observations[comparison.observer], table, version, settings),
        }
        for comparison in compare_with(study, people, version=version, confidence=settings.confidence)
    ]


def _people(score: Mapping[str, Any]) -> PeopleScore:
    interval = score["intervals"]["twoway"]
    return PeopleScore(
        estimate=score["score"],
        low=interval["low"],
        high=interval["high"],
        n=score["n"],
        n_participants=score["n_participants"],
    )


def _resampled(
    comparison: ObserverComparison,
    observation: Observation,
    table: AnswerTable,
    version: StudyVersion | None,
    settings: ScoreSettings,
) -> dict[str, Any]:
    compared = {score.condition for score in comparison.scores if not score.is_control}
    answers = table.regrouped(lambda name: name if name in compared else None)
    drawn = replace(settings, replicates=min(settings.replicates, REPLICATES))
    try:
        found = over_people_and_items(answers, credits_of(observation, version), settings=drawn)
    except ScoringError as error:
        return {"undefined": str(error)}
    return {**asdict(found), "replicates": drawn.replicates, "rng_seed": drawn.rng_seed}
