"""Scores of a study from its responses."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache

import numpy as np
import scipy
from django.conf import settings as site_settings
from django.db import transaction
from django.db.models import Count

from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.scoring import ConditionScore, ScoredRow, ScoreSettings, score_conditions
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
    replaced, and those of conditions that no longer have a response are deleted.
    """
    scores = score_conditions(_scored_rows(study, mode, version), settings=settings)
    conditions = {condition.slug: condition for condition in study.conditions.with_pairs()}
    with transaction.atomic():
        saved = [_save(score, conditions[score.condition], mode, version) for score in scores]
        kept = [score.pk for score in saved]
        AlignmentScore.objects.of_study(study, mode, version).exclude(pk__in=kept).delete()
    return saved


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
    score: ConditionScore, condition: Condition, mode: str, version: StudyVersion | None
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
            "versions": _versions(),
        },
    )
    return saved


def _versions() -> dict[str, str]:
    return {"code": _code_version(), "numpy": np.__version__, "scipy": scipy.__version__}


@cache
def _code_version() -> str:
    project = tomllib.loads((site_settings.BASE_DIR / "pyproject.toml").read_text())
    return str(project["project"]["version"])
