"""Trying a study before people come: a preview on one click, pilots by bots, a link for colleagues."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from survey_site.analysis.session_counts import session_counts
from survey_site.console.builder_views import edited_study, page_context
from survey_site.participation.models import Mode, PilotRun
from survey_site.participation.services.pilots import ask_for_bots
from survey_site.studies.models import Study
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.services import pilot_study


class BotsForm(forms.ModelForm):
    class Meta:
        model = PilotRun
        fields = ("n_bots", "p_target")
        help_texts = {"n_bots": "At most 500.", "p_target": "1: always right, 0: never."}


@require_safe
@staff_member_required
@never_cache
def pilot(request: HttpRequest, slug: str) -> HttpResponse:
    """What can be tried now; polls for its live part alone."""
    study = edited_study(request, slug)
    if request.headers.get("X-Live"):
        return render(request, "console/pilot_live.html", _live(study))
    return _page(request, study, BotsForm())


def _page(request: HttpRequest, study: Study, form: BotsForm) -> HttpResponse:
    context = {
        **page_context(request, study, "Preview and pilot", "pilot"),
        **_live(study),
        "locked": "",
        "form": form,
        "missing": missing_for_opening(study),
        "accepts_pilots": study.is_accepting(pilots=True),
        "link": f"{settings.PUBLIC_URL}{reverse('survey-page', args=[study.slug])}?mode=pilot",
    }
    return render(request, "console/pilot.html", context)


def _live(study: Study) -> dict[str, Any]:
    return {
        "study": study,
        "runs": study.pilot_runs.select_related("asked_by")[:5],
        "sessions": session_counts(study, Mode.PILOT),
    }


@require_POST
@staff_member_required
def start_pilot(request: HttpRequest, slug: str) -> HttpResponse:
    """Freeze the study as it stands, and let pilots in."""
    study = edited_study(request, slug)
    try:
        version = pilot_study(study=study, by=request.user)
    except StudyRefused as refusal:
        messages.error(request, f"The study cannot be piloted: {refusal}")
    else:
        messages.success(request, f"Version {version.number} takes pilots now.")
    return redirect("builder-pilot", slug)


@require_POST
@staff_member_required
def send_bots(request: HttpRequest, slug: str) -> HttpResponse:
    study = edited_study(request, slug)
    form = BotsForm(request.POST)
    if not form.is_valid():
        return _page(request, study, form)
    try:
        ask_for_bots(
            study=study,
            n=form.cleaned_data["n_bots"],
            p_target=form.cleaned_data["p_target"],
            by=request.user,
        )
    except StudyRefused as refusal:
        messages.error(request, f"No bot was sent: {refusal}")
    else:
        messages.success(request, "The bots are on their way.")
    return redirect("builder-pilot", slug)
