"""A study's texts beside what participants will see of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from survey_site.console.builder_views import edited_study, page_context
from survey_site.studies.models import Study, StudyText
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.revisions import ChangedMeanwhile, stamp
from survey_site.studies.text_services import save_text
from survey_site.studies.texts import DEFAULT_TEXTS, FIELDS, OPTIONAL_FIELDS
from survey_site.studies.texts import render as rendered

LABELS = {
    "welcome": "Welcome",
    "consent": "Consent",
    "instructions": "Instructions",
    "debrief": "Debriefing",
    "refused": "For those who do not consent",
    "practice": "Before the practice",
    "practice_failed": "Practice not passed",
    "break_text": "Breaks",
    "full": "No place left",
    "phone_refused": "Phone refused",
    "paused": "Paused",
    "closed": "Closed",
}
LONGEST = 20_000


class TextForm(forms.Form):
    language = forms.RegexField(
        r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$",
        max_length=10,
        help_text="A code such as en, de, es or pt-BR.",
        error_messages={"invalid": "allowed: two or three small letters, then perhaps a region, as pt-BR"},
    )
    title = forms.CharField(max_length=120)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (*FIELDS, *OPTIONAL_FIELDS):
            self.fields[name] = forms.CharField(
                label=LABELS[name],
                max_length=LONGEST,
                required=name in FIELDS,
                widget=forms.Textarea(attrs={"rows": 9 if name in FIELDS else 4}),
            )

    def sides(self) -> list[tuple[Any, str]]:
        """Each Markdown field, and what it renders to now."""
        return self._sides(FIELDS)

    def other_sides(self) -> list[tuple[Any, str]]:
        """The same of those that may be empty."""
        return self._sides(OPTIONAL_FIELDS)

    @property
    def has_others(self) -> bool:
        """Whether there is something to see of those that may be empty."""
        return any(self[name].value() or self[name].errors for name in OPTIONAL_FIELDS)

    def _sides(self, names: Sequence[str]) -> list[tuple[Any, str]]:
        return [(self[name], _html(self[name].value() or "")) for name in names]


def _html(markdown: str) -> str:
    return mark_safe(rendered(str(markdown)))  # noqa: S308 - sanitised there


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
@never_cache
def texts(request: HttpRequest, slug: str) -> HttpResponse:
    """One language at a time; `?language=` says which, and a new one begins as the first."""
    study = edited_study(request, slug)
    rows = {row.language: row for row in study.texts.order_by("language")}
    wanted = request.GET.get("language", next(iter(rows), "en"))
    if request.method == "POST":
        wanted = request.POST.get("language", "")
    problems: list[str] = []
    form = TextForm(request.POST if request.method == "POST" else _initial(rows, wanted))
    if request.method == "POST":
        problems = _saved(request, study, form)
        if not problems:
            language = form.cleaned_data["language"]
            return redirect(f"{reverse('builder-texts', args=[slug])}?language={language}")
    context = {
        **page_context(request, study, "Texts", "texts"),
        "seen": request.POST.get("seen") or stamp(study),
        "form": form,
        "problems": problems,
        "languages": list(rows),
        "language": wanted,
        "is_new": wanted not in rows,
    }
    return render(request, "console/texts.html", context)


def _initial(rows: dict[str, StudyText], wanted: str) -> dict[str, str]:
    row = rows.get(wanted) or next(iter(rows.values()), None)
    names = ("title", *FIELDS, *OPTIONAL_FIELDS)
    text = {name: getattr(row, name) for name in names} if row else dict(DEFAULT_TEXTS)
    return {**text, "language": wanted if wanted != "new" else ""}


def _saved(request: HttpRequest, study: Study, form: TextForm) -> list[str]:
    if not form.is_valid():
        return ["Nothing was saved: see the fields marked below."]
    text = dict(form.cleaned_data)
    language = text.pop("language")
    try:
        save_text(study=study, seen=request.POST.get("seen", ""), language=language, text=text)
    except ChangedMeanwhile as change:
        return change.told
    except StudyRefused as refusal:
        return [f"Nothing was saved: {refusal}"]
    messages.success(request, f"The texts in {language} are saved.")
    return []


@require_POST
@staff_member_required
@never_cache
def text_preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What participants would see of one field's Markdown. Saves nothing."""
    edited_study(request, slug)
    return HttpResponse(_html(request.POST.get("markdown", "")[:LONGEST]))
