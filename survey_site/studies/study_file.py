"""A study as one file: written from the database, and read into this one or another."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from survey_site.access.models import User
from survey_site.access.services import make_owner, record_event
from survey_site.studies.exclusion_services import set_rules
from survey_site.studies.file_plan import Plan, plan_of
from survey_site.studies.file_reading import StudyFileError, read_document
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import Condition, LabelIcon, Question, Study, StudyText
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.services import forget_preview
from survey_site.studies.study_document import study_document, to_json, to_yaml

__all__ = ["FORMATS", "StudyFileError", "export_study_file", "import_study_file", "replace_by_study_file"]

FORMATS = {"json": to_json, "yaml": to_yaml}


def export_study_file(study: Study, format: str) -> str:
    """The study as text in one of FORMATS; the same study is the same bytes."""
    return FORMATS[format](study_document(study))


@transaction.atomic
def import_study_file(data: bytes, *, by: User | None = None) -> Study:
    """A new draft from a file, owned by whoever imports it; of networks and images that are shared with them.

    Raises StudyFileError naming everything that is wrong, and StudyRefused if the slug is taken.
    """
    plan = plan_of(read_document(data), by=by)
    if Study.objects.filter(slug=plan.study["slug"]).exists():
        raise StudyRefused(f"study {plan.study['slug']!r} exists already; take another slug")
    study = Study.objects.create(created_by_id=by.pk if by else None, **plan.study)
    make_owner(user=by, of=study)
    _write(study, plan)
    record_event(user=by, action="import study", subject=study)
    return study


@transaction.atomic
def replace_by_study_file(study: Study, data: bytes, *, by: User | None = None) -> Study:
    """The design of a study that is not open becomes that of the file.

    Raises StudyFileError for a bad file, and StudyRefused where the study holds it: it is open, its slug is
    another, or a condition that people saw would change or go.
    """
    refuse_if_open(study)
    plan = plan_of(read_document(data), by=by, into=study)
    if plan.study["slug"] != study.slug:
        raise StudyRefused(
            f"the file is of study {plan.study['slug']!r}, not of {study.slug!r}; the slug must be the same"
        )
    forget_preview(study)
    for name, value in plan.study.items():
        setattr(study, name, value)
    study.save()
    _write(study, plan)
    record_event(user=by, action="import study", subject=study)
    return study


def _write(study: Study, plan: Plan) -> None:
    _write_conditions(study, plan)
    study.texts.all().delete()
    study.questions.all().delete()
    study.icons.all().delete()
    for language, text in plan.texts.items():
        StudyText.objects.create(study=study, language=language, **text)
    for question in plan.questions:
        Question.objects.create(study=study, **question)
    for label, image in plan.icons.items():
        LabelIcon.objects.create(study=study, label=label, image=image)
    set_rules(study, plan.rules)


def _write_conditions(study: Study, plan: Plan) -> None:
    """Those that people saw stay as they are, or everything is refused."""
    gone = study.conditions.exclude(slug__in=plan.conditions)
    try:
        gone.delete()
    except ProtectedError:
        names = ", ".join(gone.values_list("slug", flat=True))
        raise StudyRefused(f"people saw the conditions {names}, so the file must have them, too") from None
    present = {condition.slug: condition for condition in study.conditions.all()}
    for slug, values in plan.conditions.items():
        condition = present.get(slug) or Condition(study=study, slug=slug)
        for name, value in values.items():
            setattr(condition, name, value)
        try:
            condition.clean()
        except ValidationError as error:
            raise StudyRefused(" ".join(dict.fromkeys(error.messages))) from None
        condition.save()
