"""What the admin's first page shows: jobs under way, studies and their latest numbers, workers."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest

from survey_site.participation.models import SessionState
from survey_site.stimuli.models import IRI, ImageSet, IRIJob, Network, NetworkState, Worker
from survey_site.stimuli.progress import job_progress
from survey_site.studies.models import Study

LATEST = 6


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    user = request.user
    newest = IRIJob.objects.visible_to(user).select_related("layer__network", "recipe").order_by("-pk")
    jobs = list(newest[:LATEST])
    states = {state["job"]: state for state in job_progress([job.pk for job in jobs])}
    finished = Q(sessions__state=SessionState.FINISHED)
    context |= {
        "tiles": [
            ("Networks ready", Network.objects.visible_to(user).filter(state=NetworkState.READY).count()),
            ("Image sets", ImageSet.objects.visible_to(user).count()),
            ("IRIs found", IRI.objects.visible_to(user).done().count()),
            ("Workers", Worker.objects.count()),
        ],
        "jobs": [{"job": job, "state": states[job.pk]} for job in jobs],
        "studies": Study.objects.visible_to(user)
        .annotate(
            n_real=Count("sessions", filter=finished & Q(sessions__mode="real")),
            n_pilot=Count("sessions", filter=finished & Q(sessions__mode="pilot")),
        )
        .order_by("-created_at")[:LATEST],
    }
    return context
