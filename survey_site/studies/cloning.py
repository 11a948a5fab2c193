"""A new draft that begins as another study stands."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from survey_site.access.models import User
from survey_site.access.services import make_owner, record_event
from survey_site.studies.models import CODES, Study, StudyStatus
from survey_site.studies.refusals import StudyRefused

#: What belongs to the former study alone: its codes, its recruiter's listing, its registered plan.
ITS_OWN: dict[str, Any] = {
    "status": StudyStatus.DRAFT,
    **dict.fromkeys(CODES, ""),
    "recruiter_study_id": "",
    "preregistration_url": "",
    "revision": 0,
}
PARTS = ("texts", "questions", "icons", "exclusion_rules")


@transaction.atomic
def clone_study(
    *, study: Study, slug: str, name: str, with_conditions: bool, by: User | None = None
) -> Study:
    """Settings, texts, questions, icons, exclusion rules, and the conditions if wanted; `by` becomes owner.

    Versions, sessions and answers stay with the former. Raises StudyRefused if the slug is taken.
    """
    if Study.objects.filter(slug=slug).exists():
        raise StudyRefused(f"study {slug!r} exists already")
    made = _copy(
        Study.objects.get(pk=study.pk), slug=slug, name=name, created_by_id=by.pk if by else None, **ITS_OWN
    )
    for part in (*PARTS, *(["conditions"] if with_conditions else [])):
        for row in getattr(study, part).all():
            _copy(row, study=made)
    make_owner(user=by, of=made)
    record_event(user=by, action="clone study", subject=study, detail={"clone": slug})
    return made


def _copy(row: Any, **changes: Any) -> Any:
    """The row, saved once more as another."""
    row.pk, row._state.adding = None, True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row
