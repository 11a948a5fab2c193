"""Scores of a study from its responses."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import scipy
from django.conf import settings as site_settings
from django.db import transaction
from django.db.models import Count

from survey_site.analysis.answers import AnswerTable, ScoredRow
from survey_site.analysis.condition_columns import factor_levels
from survey_site.analysis.exclusion_services import (
    decide_exclusions,
    excluded_participants,
    response_rows,
    rules_of,
)
from survey_site.analysis.exports import condition_facts, export_rows
from survey_site.analysis.methods_text import methods_paragraph
from survey_site.analysis.models import AlignmentScore, Exclusion
from survey_site.analysis.report import ReportSettings, alignment_report, score_json
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.scoring import ConditionScore, score_table
from survey_site.participation.models import Response
from survey_site.studies.models import Condition, Study, StudyVersion, Trial

ROWS_PER_FETCH = 2000


def score_study(
    study: Study,
    mode: str,
    *,
    version: StudyVersion | None = None,
    settings: ScoreSettings | None = None,
) -> list[AlignmentScore]:
    """Score every condition with an answered main trial, save the scores and return them by condition slug.

    `mode` is `real` or `pilot`; a `version` restricts the responses to its own. Scores saved before are
    replaced, and those of conditions that no longer have a response are deleted. Sessions are held to the
    study's exclusion rules first; a score that leaves somebody out carries the figures with everybody beside.
    """
    decide_exclusions(study, mode)
    everybody = AnswerTable.from_rows(_scored_rows(study, mode, version))
    excluded = excluded_participants(study, mode, version)
    scores, without = _with_and_without(everybody, excluded, settings)
    rules = [rule.to_dict() for rule in rules_of(study, mode)]
    conditions = {condition.slug: condition for condition in study.conditions.with_pairs()}
    with transaction.atomic():
        saved = [
            _save(
                score,
                conditions[score.condition],
                mode,
                version,
                {"rules": rules, "n_participants": len(excluded), "without": without.get(score.condition)},
            )
            for score in scores
        ]
        kept = [score.pk for score in saved]
        AlignmentScore.objects.of_study(study, mode, version).exclude(pk__in=kept).delete()
    return saved


def _with_and_without(
    everybody: AnswerTable, excluded: set[str], settings: ScoreSettings | None
) -> tuple[list[ConditionScore], dict[str, dict[str, Any]]]:
    """Scores without the excluded participants, and by condition those with them if that is not the same."""
    if not excluded:
        return score_table(everybody, settings=settings), {}
    left_out = np.array([name in excluded for name in everybody.participants], dtype=np.bool_)
    kept = everybody.where(~left_out[everybody.participant])
    without = score_table(everybody, settings=settings)
    return score_table(kept, settings=settings), {score.condition: score_json(score) for score in without}


def _scored_rows(study: Study, mode: str, version: StudyVersion | None) -> Iterator[ScoredRow]:
    responses = Response.objects.scoreable().of_study(study, mode)
    if version is not None:
        responses = responses.filter(presentation__session__version=version)
    rows = responses.values_list(  # type: ignore[misc]  # the annotation of scoreable() is not seen
        "presentation__trial__condition__slug",
        "presentation__session__participant_id",
        "presentation__trial_id",
        "chose_target",
    )
    # As frozen in the trials: the condition may have been edited since.
    trials = Trial.objects.filter(version__study=study).annotate(n_options=Count("options"))
    n_options = dict(trials.order_by().values_list("id", "n_options"))
    for condition, participant, trial, chose_target in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield ScoredRow(condition, str(participant), str(trial), chose_target == 1, n_options[trial])


def _save(
    score: ConditionScore,
    condition: Condition,
    mode: str,
    version: StudyVersion | None,
    exclusions: dict[str, Any],
) -> AlignmentScore:
    saved, _ = AlignmentScore.objects.update_or_create(
        condition=condition,
        version=version,
        mode=mode,
        defaults={
            "estimate": score.estimate,
            "n": score.n,
            "hits": score.hits,
            "n_participants": score.n_participants,
            "n_items": score.n_items,
            "participant_mean": score.participant_mean,
            "item_mean": score.item_mean,
            "chance": score.chance or condition.chance,
            "d_prime": score.d_prime,
            "intervals": {name: asdict(interval) for name, interval in score.intervals.items()},
            "settings": asdict(score.settings),
            "versions": versions(),
            "exclusions": exclusions,
        },
    )
    return saved


def versions() -> dict[str, str]:
    """Of this code and of the libraries that compute."""
    return {"code": _code_version(), "numpy": np.__version__, "scipy": scipy.__version__}


def alignment_of(
    study: Study, mode: str, *, version: StudyVersion | None = None, settings: ReportSettings | None = None
) -> dict[str, Any]:
    """All statistics of a study as JSON (`report.alignment_report`), with exclusions, versions and seeds."""
    counted = decide_exclusions(study, mode, counted=version)
    source = version or study
    facts = condition_facts(source)
    rows = list(response_rows(export_rows(source, mode)))
    verdicts = Exclusion.objects.of_study(study, mode, version).order_by("session", "rule")
    report = {
        "study": study.slug,
        "study_version": version.number if version else None,
        "mode": mode,
        "versions": versions(),
        "exclusions": {
            "rules": [rule.to_dict() for rule in rules_of(study, mode)],
            "flow": asdict(counted),
            "sessions": [
                {"session": str(verdict.session_id), "rule": verdict.rule, "reason": verdict.reason}
                for verdict in verdicts
            ],
        },
        **alignment_report(
            rows,
            conditions=[condition.condition for condition in facts],
            factors=factor_levels(facts),
            settings=settings,
        ),
    }
    return {**report, "methods": methods_paragraph(report)}


@cache
def _code_version() -> str:
    project = tomllib.loads((site_settings.BASE_DIR / "pyproject.toml").read_text())
    return str(project["project"]["version"])
