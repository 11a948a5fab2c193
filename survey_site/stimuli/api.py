"""Jobs and workers for programs: what the admin's pages show, as JSON, for staff who may see those pages."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from survey_site.stimuli.models import IRIJob
from survey_site.stimuli.progress import job_progress
from survey_site.stimuli.worker_view import worker_states

MOST_JOBS = 200


class MaySee(BasePermission):
    """Staff with the permission that the view names, as in the admin."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return bool(user and user.is_staff and user.has_perm(view.permission))


class StaffView(APIView):
    authentication_classes = [SessionAuthentication, BasicAuthentication]
    permission_classes = [MaySee]
    permission = ""


class WorkersView(StaffView):
    """GET api/workers/ -> {"workers": [{"name", "device", "chunk", "images_per_minute", ...}]}"""

    permission = "stimuli.view_worker"

    def get(self, request: Request) -> Response:
        return Response({"workers": worker_states()})


class JobsView(StaffView):
    """GET api/jobs/ -> {"jobs": [...]}, the newest first, at most MOST_JOBS; ?status=running narrows."""

    permission = "stimuli.view_irijob"

    def get(self, request: Request) -> Response:
        jobs = IRIJob.objects.select_related("layer__network", "recipe", "image_set")
        if wanted := request.query_params.get("status"):
            jobs = jobs.filter(status=wanted)
        newest = list(jobs[:MOST_JOBS])
        states = {state["job"]: state for state in job_progress([job.pk for job in newest])}
        return Response({"jobs": [{**job_facts(job), **states[job.pk]} for job in newest]})


class JobView(StaffView):
    """GET api/jobs/7/ -> the job with its open and failed chunks, errors in full, and its history."""

    permission = "stimuli.view_irijob"

    def get(self, request: Request, job_id: int) -> Response:
        job = IRIJob.objects.select_related("layer__network", "recipe", "image_set").filter(pk=job_id).first()
        if job is None:
            raise Http404(f"there is no job {job_id}")
        (state,) = job_progress([job.pk])
        chunks = job.chunks.exclude(status="finished").values(
            *("id", "status", "reason", "owner__name", "attempts", "progress", "lease_until", "checkpoint_at")
        )
        iris = job.iris.exclude(reason="").values("id", "target__name", "status", "reason")
        history = job.history.values("chunk", "before", "after", "reason", "by", "at")
        return Response({**job_facts(job), **state, "chunks": chunks, "errors": iris, "history": history})


def job_facts(job: IRIJob) -> dict[str, Any]:
    return {
        "network": job.layer.network.slug,
        "layer": job.layer.name,
        "recipe": job.recipe.name,
        "image_set": job.image_set.slug,
        "rng_seed": job.rng_seed,
        "queue": job.broker_queue,
        "priority": job.priority,
        "paused": job.paused,
        "created_at": job.created_at,
    }
