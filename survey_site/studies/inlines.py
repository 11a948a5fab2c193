"""The rows of a study's design on its form: conditions, texts, questions and pictures of labels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.admin import StackedInline
from unfold.widgets import UnfoldAdminFileFieldWidget

from survey_site.access.role_admin import ByParent
from survey_site.access.roles import Role
from survey_site.stimuli.services import ImageRefused
from survey_site.studies import services
from survey_site.studies.locks import LockedWhileOpen
from survey_site.studies.models import Condition, LabelIcon, Question, Study, StudyText
from survey_site.studies.texts import DEFAULT_TEXTS, FIELDS, OPTIONAL_FIELDS


class ConditionInline(LockedWhileOpen, ByParent, StackedInline):
    model = Condition
    fields = [
        ("slug", "layer"),
        ("recipe", "image_set"),
        ("shows", "iri_seed"),
        ("format", "n_options"),
        ("foil_rule", "include_failed"),
    ]
    extra = 0
    show_change_link = False
    autocomplete_fields = ["layer"]

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        """Only what is shared with this person can be picked; what others picked before may stay."""
        if db_field.name in ("layer", "image_set"):
            rows = db_field.remote_field.model.objects
            kept = rows.filter(conditions__study__in=Study.objects.held_by(request.user, Role.EDITOR))
            options["queryset"] = (rows.visible_to(request.user) | kept).distinct()
        return super().formfield_for_foreignkey(db_field, request, **options)


class IconForm(forms.ModelForm):
    file = forms.FileField(
        required=False,
        label="Picture",
        widget=UnfoldAdminFileFieldWidget,
        help_text="At most 128 px are kept.",
    )

    class Meta:
        model = LabelIcon
        fields = ["label"]

    def clean_file(self) -> bytes | None:
        upload = self.cleaned_data["file"]
        if upload is None and self.instance.pk is None:
            raise forms.ValidationError("choose a picture for this label")
        if upload is None:
            return None
        try:
            self.instance.image = services.icon_image(upload.read())
        except ImageRefused as refusal:
            raise forms.ValidationError(f"{upload.name}: {refusal}") from None
        return None


class IconInline(LockedWhileOpen, ByParent, StackedInline):
    """Pictures for the labels of classification."""

    model = LabelIcon
    form = IconForm
    fields = [("label", "file")]
    extra = 0
    tab = True


class QuestionInline(LockedWhileOpen, ByParent, StackedInline):
    """The questionnaire after the trials."""

    model = Question
    fields = [
        ("name", "language", "position"),
        ("kind", "is_required"),
        "label",
        "choices",
        ("minimum", "maximum"),
    ]
    extra = 0
    tab = True


class TextInline(LockedWhileOpen, ByParent, StackedInline):
    model = StudyText
    extra = 0
    tab = True
    fieldsets = [
        (None, {"fields": ["language", "title", *FIELDS]}),
        (
            "Other texts",
            {
                "classes": ["collapse"],
                "description": "Markdown, too. Where one is empty, the page says it in words of its own.",
                "fields": list(OPTIONAL_FIELDS),
            },
        ),
    ]

    def get_formset(self, request: HttpRequest, obj: Any = None, **options: Any) -> Any:
        formset = super().get_formset(request, obj, **options)
        for name, text in DEFAULT_TEXTS.items():
            formset.form.base_fields[name].initial = text
        return formset
