"""A study's frozen versions: what each holds, what changed; and its life: pause, close, reopen, clone."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from survey_site.access.roles import Role, may
from survey_site.console.builder_views import edited_study, page_context
from survey_site.console.views import visible_study
from survey_site.participation.models import Mode
from survey_site.studies.cloning import clone_study
from survey_site.studies.models import Study, StudyStatus
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.services import close_study, open_study, pause_study
from survey_site.studies.version_changes import changes_between

MOST_VERSIONS = 20


class CloneForm(forms.ModelForm):
    with_conditions = forms.BooleanField(required=False, initial=True, label="With its conditions")

    class Meta:
        model = Study
        fields = ("name", "slug")


@require_safe
@staff_member_required
@never_cache
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    study = visible_study(request, slug)
    form = CloneForm(initial={"name": f"{study.name} (clone)"[:120], "slug": f"{study.slug}-clone"[:50]})
    return _page(request, study, form)


def _page(request: HttpRequest, study: Study, form: CloneForm) -> HttpResponse:
    context = {
        **page_context(request, study, "Versions", "versions"),
        "locked": "",
        "versions": _with_changes(study),
        "n_versions": study.versions.count(),
        "may_edit": may(request.user, Role.EDITOR, study),
        "missing": missing_for_opening(study),
        "form": form,
    }
    return render(request, "console/versions.html", context)


def _with_changes(study: Study) -> list[dict[str, Any]]:
    """The newest first, each with what changed since the one before it."""
    rows = list(
        study.versions.annotate(
            n_real=Count("sessions", filter=Q(sessions__mode=Mode.REAL), distinct=True),
            n_pilot=Count("sessions", filter=Q(sessions__mode=Mode.PILOT), distinct=True),
            n_trials=Count("trials", distinct=True),
        ).order_by("-number")[: MOST_VERSIONS + 1]
    )
    found = [
        {"version": after, "changes": changes_between(before, after)} for after, before in pairwise(rows)
    ]
    if rows and len(rows) <= MOST_VERSIONS:
        found.append({"version": rows[-1], "changes": None})
    return found


@require_POST
@staff_member_required
def set_status(request: HttpRequest, slug: str, status: str) -> HttpResponse:
    """Open, pause or close; opening what changed makes a new version."""
    study = edited_study(request, slug)
    try:
        said = _moved(request, study, status)
    except StudyRefused as refusal:
        messages.error(request, f"The study stays {study.get_status_display().lower()}: {refusal}")
    else:
        messages.success(request, said)
    return redirect("versions", slug)


def _moved(request: HttpRequest, study: Study, status: str) -> str:
    if status == StudyStatus.OPEN:
        version = open_study(study=study, opened_by=request.user)
        return f"Open as version {version.number} ({version.sha256[:8]})."
    if status == StudyStatus.PAUSED:
        pause_study(study=study, by=request.user)
    elif status == StudyStatus.CLOSED:
        close_study(study=study, by=request.user)
    else:
        raise Http404(f"status is {status!r}; allowed: open, paused, closed")
    return f"{StudyStatus(status).label}: no new sessions; those under way may finish."


@require_POST
@staff_member_required
def clone(request: HttpRequest, slug: str) -> HttpResponse:
    study = edited_study(request, slug)
    form = CloneForm(request.POST)
    if not form.is_valid():
        return _page(request, study, form)
    try:
        made = clone_study(
            study=study,
            slug=form.cleaned_data["slug"],
            name=form.cleaned_data["name"],
            with_conditions=form.cleaned_data["with_conditions"],
            by=request.user,
        )
    except StudyRefused as refusal:
        messages.error(request, f"No clone was made: {refusal}")
        return redirect("versions", slug)
    messages.success(request, f"This draft began as {study.name} stands. It is yours.")
    return redirect("builder", made.slug)
