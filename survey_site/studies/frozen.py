"""What a version froze, kept in this process once it was read: it never changes, and every answer asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from survey_site.studies.models import StudyVersion, Trial


@dataclass(frozen=True)
class FrozenTrial:
    """By index, the keys of the trial's references and options."""

    kind: str
    format: str
    references: dict[int, UUID]
    options: dict[int, UUID]


@lru_cache(maxsize=10_000)
def frozen_trial(trial_id: UUID) -> FrozenTrial:
    trial = Trial.objects.get(pk=trial_id)
    return FrozenTrial(
        kind=trial.kind,
        format=trial.format,
        references=dict(trial.references.order_by().values_list("index", "pk")),
        options=dict(trial.options.order_by().values_list("index", "pk")),
    )


@lru_cache(maxsize=100)
def frozen_settings(version_id: int) -> dict[str, Any]:
    settings: dict[str, Any] = StudyVersion.everything.values_list("settings", flat=True).get(pk=version_id)
    return settings
