"""Asking simulated observers from the results page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from survey_site.access.roles import Role, require_role
from survey_site.analysis.observing import ObserverRefused, request_observations
from survey_site.console.views import visible_study


@require_POST
@staff_member_required
def ask_observers(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the observers that the form names; analysts of the study may ask."""
    study = visible_study(request, slug)
    require_role(request.user, Role.ANALYST, study)
    names = request.POST.getlist("observer")
    try:
        asked = request_observations(study=study, observers=names, by=request.user)
    except ObserverRefused as refusal:
        messages.error(request, f"No observer was asked: {refusal}")
    else:
        said = "observer is" if len(asked) == 1 else "observers are"
        messages.success(request, f"{len(asked)} {said} asked; a worker judges, and the results follow.")
    return redirect("results", study.slug)
