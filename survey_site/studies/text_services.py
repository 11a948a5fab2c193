"""Writing a study's texts."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import Study, StudyText
from survey_site.studies.revisions import lock_as_seen
from survey_site.studies.services import forget_preview


@transaction.atomic
def save_text(*, study: Study, seen: str, language: str, text: Mapping[str, str]) -> StudyText:
    """Write the texts of one language, which may be new to the study.

    Raises StudyRefused while the study is open, ChangedMeanwhile if it is not as it was at the stamp `seen`.
    """
    lock_as_seen(study, seen)
    refuse_if_open(study)
    forget_preview(study)
    row = study.texts.filter(language=language).first() or StudyText(study=study, language=language)
    for name, value in text.items():
        setattr(row, name, value)
    row.save()
    return row
