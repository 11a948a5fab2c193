"""Jobs and workers for programs: what the admin's pages show, as JSON, for staff who may see those pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import Http404
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from survey_site.access.roles import is_researcher
from survey_site.stimuli.models import OPEN_JOBS, IRIJob, JobStatus, Worker
from survey_site.stimuli.progress import PAUSED, job_progress
from survey_site.stimuli.worker_view import worker_state, worker_states

MOST_JOBS = 200


class IsResearcher(BasePermission):
    """Whoever may log in to the admin; which rows there are is for the roles to say."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_researcher(request.user)


class StaffView(APIView):
    # Basic first, so that whoever brings nothing is told how to log in: 401 and not 403.
    authentication_classes = [BasicAuthentication, SessionAuthentication]
    permission_classes = [IsResearcher]


class WorkersView(StaffView):
    """GET api/workers/ -> {"workers": [{"name", "device", "chunk", "images_per_minute", ...}]}"""

    def get(self, request: Request) -> Response:
        return Response({"workers": worker_states()})


class WorkerView(StaffView):
    """GET api/workers/iri@gpu0/ -> the worker, with the networks it can build by source and name."""

    def get(self, request: Request, name: str) -> Response:
        worker = Worker.objects.with_state().filter(name=name).first()
        if worker is None:
            raise Http404(f"there is no worker {name}")
        return Response({**worker_state(worker), "architectures": worker.architectures})


class JobsView(StaffView):
    """GET api/jobs/ -> {"jobs": [...]}, the newest first, at most MOST_JOBS; ?status=running narrows.

    `status` is what a job says of itself: a value of JobStatus, or `paused` for an open job that is.
    """

    def get(self, request: Request) -> Response:
        jobs = IRIJob.objects.visible_to(request.user)
        jobs = jobs.select_related("layer__network", "recipe", "image_set")
        if wanted := request.query_params.get("status"):
            jobs = _in_status(jobs, wanted)
        newest = list(jobs[:MOST_JOBS])
        states = {state["job"]: state for state in job_progress([job.pk for job in newest])}
        return Response({"jobs": [{**job_facts(job), **states[job.pk]} for job in newest]})


class JobView(StaffView):
    """GET api/jobs/7/ -> the job with its open and failed chunks, errors in full, and its history."""

    def get(self, request: Request, job_id: int) -> Response:
        jobs = IRIJob.objects.visible_to(request.user)
        job = jobs.select_related("layer__network", "recipe", "image_set").filter(pk=job_id).first()
        if job is None:
            raise Http404(f"there is no job {job_id}")
        (state,) = job_progress([job.pk])
        chunks = job.chunks.worth_telling().values(
            *("id", "status", "reason", "owner__name", "attempts", "progress", "lease_until", "checkpoint_at")
        )
        iris = job.iris.failed().values("id", "target__name", "status", "reason")
        history = job.history.values("chunk", "before", "after", "reason", "by", "at")
        return Response({**job_facts(job), **state, "chunks": chunks, "errors": iris, "history": history})


def _in_status(jobs: Any, wanted: str) -> Any:
    if wanted not in (*JobStatus.values, PAUSED):
        allowed = ", ".join((*JobStatus.values, PAUSED))
        raise ValidationError({"status": f"there is no status {wanted!r}; allowed: {allowed}"})
    is_paused = Q(paused=True, status__in=OPEN_JOBS)
    return jobs.filter(is_paused) if wanted == PAUSED else jobs.filter(status=wanted).exclude(is_paused)


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
