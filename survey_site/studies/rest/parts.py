"""The parts of a draft: conditions, texts, questions, exclusion rules, icons; versions that were frozen."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import missing
from survey_site.access.roles import Role, may
from survey_site.stimuli.services import ImageRefused, StoreTrouble
from survey_site.studies.exclusion_services import set_rules
from survey_site.studies.file_checks import Faults, value_of
from survey_site.studies.file_conditions import Shared, conditions_of
from survey_site.studies.file_plan import question_rows, rules_of
from survey_site.studies.file_reading import StudyFileError
from survey_site.studies.models import Condition, LabelIcon, Question, Study, StudyText, StudyVersion
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.rest.base import IF_MATCH, StudyView
from survey_site.studies.rest.shapes import (
    ConditionShape,
    IconFile,
    IconShape,
    QuestionShape,
    QuestionsShape,
    RulesShape,
    TextShape,
    VersionLine,
    WholeVersion,
    without_codes,
)
from survey_site.studies.services import add_condition, icon_image

CHANGES = dict.fromkeys(("create", "update", "destroy"), (412, 428))


class ConditionsView(StudyView):
    serializer_class = ConditionShape
    statuses = CHANGES
    ordering = ("slug",)

    def get_queryset(self) -> QuerySet[Condition]:
        return Condition.objects.with_pairs()

    def list(self, request: Request, slug: str) -> Response:
        """Its conditions by slug."""
        found = self.get_queryset().filter(study=self.study(slug))
        return self.paged(found, lambda page: list(ConditionShape(page, many=True).data))

    @extend_schema(request=ConditionShape, responses={201: ConditionShape}, parameters=[IF_MATCH])
    def create(self, request: Request, slug: str) -> Response:
        """Add a pair and recipe; its slug is made of them."""
        with self.changing(slug) as study:
            condition = add_condition(study=study, **self._values(study, "new"))
        return self.tagged(study, ConditionShape(condition).data, status=201)

    def retrieve(self, request: Request, slug: str, condition: str) -> Response:
        """One condition."""
        return Response(ConditionShape(self._one(self.study(slug), condition)).data)

    @extend_schema(request=ConditionShape, responses=ConditionShape, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str, condition: str) -> Response:
        """Write it whole, new or not. What people saw means what it meant: that cannot change."""
        with self.changing(slug) as study:
            row = study.conditions.filter(slug=condition).first() or Condition(study=study, slug=condition)
            for name, value in self._values(study, condition).items():
                setattr(row, name, value)
            try:
                row.clean()
            except DjangoValidationError as error:
                raise StudyRefused(" ".join(dict.fromkeys(error.messages))) from None
            row.save()
        return self.tagged(study, ConditionShape(row).data)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, slug: str, condition: str) -> Response:
        """Take it out of the draft, if nobody saw it."""
        with self.changing(slug) as study:
            self._one(study, condition).delete()
        return self.tagged(study, None, status=204)

    def _one(self, study: Study, slug: str) -> Condition:
        found = self.get_queryset().filter(study=study, slug=slug).first()
        if found is None:
            raise missing(Condition)
        return found

    def _values(self, study: Study, slug: str) -> dict[str, Any]:
        self.given(ConditionShape)  # types first; then what is here and shared
        faults: Faults = []
        entry = {name: value for name, value in self.body().items() if name != "slug"}
        found = conditions_of({slug: entry}, {}, Shared(self.request.user, study), faults)
        if faults:
            raise StudyFileError([(path.removeprefix(f"conditions.{slug}."), said) for path, said in faults])
        return found[slug]


class TextsView(StudyView):
    serializer_class = TextShape
    statuses = CHANGES
    ordering = ("language",)

    def get_queryset(self) -> QuerySet[StudyText]:
        return StudyText.objects.all()

    def list(self, request: Request, slug: str) -> Response:
        """Its texts by language, as Markdown."""
        found = self.get_queryset().filter(study=self.study(slug))
        return self.paged(found, lambda page: list(TextShape(page, many=True).data))

    def retrieve(self, request: Request, slug: str, language: str) -> Response:
        """The texts in one language."""
        return Response(TextShape(self._one(self.study(slug), language)).data)

    @extend_schema(request=TextShape, responses=TextShape, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str, language: str) -> Response:
        """Write the texts in one language, new or not."""
        with self.changing(slug) as study:
            refuse_bad(StudyText, "language", language)
            text, _ = StudyText.objects.update_or_create(
                study=study, language=language, defaults=self.given(TextShape)
            )
        return self.tagged(study, TextShape(text).data)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, slug: str, language: str) -> Response:
        """Take a language away."""
        with self.changing(slug) as study:
            self._one(study, language).delete()
        return self.tagged(study, None, status=204)

    def _one(self, study: Study, language: str) -> StudyText:
        found = self.get_queryset().filter(study=study, language=language).first()
        if found is None:
            raise missing(StudyText)
        return found


class QuestionsView(StudyView):
    serializer_class = QuestionShape
    statuses = CHANGES
    ordering = ("language", "position", "pk")

    def get_queryset(self) -> QuerySet[Question]:
        return Question.objects.all()

    def list(self, request: Request, slug: str) -> Response:
        """The questionnaire, in all languages."""
        found = self.get_queryset().filter(study=self.study(slug))
        return self.paged(found, lambda page: list(QuestionShape(page, many=True).data))

    @extend_schema(request=QuestionsShape, responses=QuestionsShape, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str, language: str) -> Response:
        """Write the questionnaire in one language, in the order given; an empty list takes it away."""
        with self.changing(slug) as study:
            refuse_bad(Question, "language", language)
            self.given(QuestionsShape)
            faults: Faults = []
            asked = [
                {name: value for name, value in entry.items() if name != "language"}
                for entry in self.body()["questions"]
            ]
            rows = question_rows({language: asked}, faults)
            if faults:
                raise StudyFileError([(path.replace(f".{language}", "", 1), said) for path, said in faults])
            study.questions.filter(language=language).delete()
            made = [Question.objects.create(study=study, **row) for row in rows]
        return self.tagged(study, {"questions": QuestionShape(made, many=True).data})


class RulesView(StudyView):
    serializer_class = RulesShape
    pagination_class = None
    statuses = CHANGES

    @extend_schema(operation_id="studies_rules_retrieve")
    def retrieve(self, request: Request, slug: str) -> Response:
        """The rules that the next opening freezes, with all their settings."""
        return Response(_rules(self.study(slug)))

    @extend_schema(parameters=[IF_MATCH])
    def update(self, request: Request, slug: str) -> Response:
        """Replace them."""
        with self.changing(slug) as study:
            faults: Faults = []
            rules = rules_of(self.given(RulesShape)["exclusion_rules"], faults)
            if faults:
                raise StudyFileError(faults)
            set_rules(study, rules)
        return self.tagged(study, _rules(study))


def _rules(study: Study) -> dict[str, Any]:
    return {"exclusion_rules": [row.as_rule().to_dict() for row in study.exclusion_rules.all()]}


class IconsView(StudyView):
    """Pictures that stand for labels in classification."""

    serializer_class = IconShape
    parser_classes = [MultiPartParser]
    statuses = CHANGES
    outages = (StoreTrouble,)
    ordering = ("label",)

    def get_queryset(self) -> QuerySet[LabelIcon]:
        return LabelIcon.objects.select_related("image")

    def list(self, request: Request, slug: str) -> Response:
        """Its icons by label."""
        found = self.get_queryset().filter(study=self.study(slug))
        return self.paged(found, lambda page: list(IconShape(page, many=True).data))

    @extend_schema(request={"multipart/form-data": IconFile}, responses=IconShape, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str, label: str) -> Response:
        """Give a label its picture; 128 px are kept."""
        with self.changing(slug) as study:
            refuse_bad(LabelIcon, "label", label)
            file = self.given(IconFile)["file"]
            try:
                image = icon_image(file.read())
            except ImageRefused as refusal:
                raise ApiError(
                    "invalid", f"{file.name}: {refusal}", errors=[("file", str(refusal))]
                ) from None
            icon, _ = LabelIcon.objects.update_or_create(study=study, label=label, defaults={"image": image})
        return self.tagged(study, IconShape(icon).data)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, slug: str, label: str) -> Response:
        """Take a label's picture away."""
        with self.changing(slug) as study:
            icon = study.icons.filter(label=label).first()
            if icon is None:
                raise missing(LabelIcon)
            icon.delete()
        return self.tagged(study, None, status=204)


class VersionsView(StudyView):
    serializer_class = VersionLine
    ordering = ("-number",)

    def get_queryset(self) -> QuerySet[StudyVersion]:
        return StudyVersion.objects.all()

    def list(self, request: Request, slug: str) -> Response:
        """What was frozen, the newest first."""
        found = self.get_queryset().filter(study=self.study(slug))
        return self.paged(found, lambda page: list(VersionLine(page, many=True).data))

    @extend_schema(responses=WholeVersion)
    def retrieve(self, request: Request, slug: str, number: int) -> Response:
        """One version: settings and texts as participants met them, and the hash over everything."""
        study = self.study(slug)
        found = self.get_queryset().filter(study=study, number=number).first()
        if found is None:
            raise missing(StudyVersion)
        if not may(self.request.user, Role.EDITOR, study):
            found.settings = without_codes(found.settings)
        return Response(WholeVersion(found).data)


def refuse_bad(model: Any, name: str, value: str) -> None:
    """Raises StudyFileError for a part of the address that the column does not take."""
    faults: Faults = []
    value_of(model._meta.get_field(name), value, name, faults)
    if faults:
        raise StudyFileError(faults)
