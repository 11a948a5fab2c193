"""A frozen study version as JSON: what participants saw, and the hash that says so."""

from __future__ import annotations

from typing import Any

from survey_site.access.roles import ExportLevel
from survey_site.studies.models import CODES, StudyVersion, Trial


def frozen_version(version: StudyVersion, level: ExportLevel) -> dict[str, Any]:
    """Settings, texts and trials as they stood; completion codes in full exports alone.

    `sha256` is over the JSON of settings, texts and trials (keys sorted, no spaces), codes included.
    """
    left_out = [] if level == ExportLevel.FULL else [name for name in CODES if version.settings.get(name)]
    return {
        "study": version.study.slug,
        "number": version.number,
        "sha256": version.sha256,
        "created_at": version.created_at.isoformat(),
        "left_out": left_out,
        "settings": {name: value for name, value in version.settings.items() if name not in left_out},
        "texts": version.texts,
        "trials": [_trial(trial) for trial in _trials(version)],
    }


def _trials(version: StudyVersion) -> Any:
    related = ("references__image", "references__answer", "options__image")
    return version.trials.order_by("number").select_related("condition").prefetch_related(*related)


def _trial(trial: Trial) -> dict[str, Any]:
    references = sorted(trial.references.all(), key=lambda one: one.index)
    options = sorted(trial.options.all(), key=lambda one: one.index)
    return {
        "condition": trial.condition.slug if trial.condition else None,
        "format": trial.format,
        "kind": trial.kind,
        "references": [[one.image.sha256 if one.image else None, one.answer.index] for one in references],
        "options": [[one.image.sha256 if one.image else None, one.label] for one in options],
    }
