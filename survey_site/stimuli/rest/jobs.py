"""Jobs: pairs queued, watched, paused, resumed, cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import F, Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Scope
from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.stimuli import services
from survey_site.stimuli.models import OPEN_JOBS, ImageSet, IRIJob, Layer, Network, Recipe
from survey_site.stimuli.progress import PAUSED
from survey_site.stimuli.rest.job_shapes import (
    JobFilter,
    JobShape,
    NewJobs,
    PriorityShape,
    WholeJob,
    job_states,
)
from survey_site.stimuli.steering import may_steer

LATEST_CHANGES = 100


class JobsView(ResearcherView):
    serializer_class = JobShape
    ordering = ("-created_at", "-pk")
    scopes = dict.fromkeys(("create", "partial_update", "pause", "resume", "cancel"), Scope.QUEUE)
    refusals = (services.QueueRefused,)
    statuses = {"create": (404,)}

    def get_queryset(self) -> QuerySet[IRIJob]:
        jobs = IRIJob.objects.visible_to(self.request.user)
        return jobs.select_related("layer__network", "recipe", "image_set")

    @extend_schema(parameters=[JobFilter])
    def list(self, request: Request) -> Response:
        """Jobs of networks and image sets that are both shared with you, the newest first."""
        return self.paged(_filtered(self.get_queryset(), self.asked(JobFilter)), job_states)

    @extend_schema(request=NewJobs, responses={201: JobShape(many=True)}, filters=False)
    def create(self, request: Request) -> Response:
        """Queue each layer with the recipe over the image set: one job a pair.

        What was queued before is found, not made again; what failed or was cancelled is queued again.
        """
        given = self.given(NewJobs)
        network = self.shared(Network.objects.all(), slug=given.pop("network"))
        image_set = self.shared(ImageSet.objects.all(), slug=given.pop("image_set"))
        recipe = Recipe.objects.filter(sha256=given.pop("recipe")).first()
        if recipe is None:
            raise missing(Recipe)
        jobs = services.queue_pairs(
            layers=[_layer(network, name) for name in dict.fromkeys(given.pop("layers"))],
            recipe=recipe,
            image_set=image_set,
            created_by=request.user,
            **given,
        )
        made = self.get_queryset().filter(pk__in=[job.pk for job in jobs]).order_by("pk")
        return Response(job_states(made), status=201)

    @extend_schema(responses=WholeJob)
    def retrieve(self, request: Request, job_id: int) -> Response:
        """One job, with its open and failed chunks, errors in full, and the latest of its history."""
        return Response(_whole(self._job(job_id)))

    @extend_schema(request=PriorityShape, responses=JobShape)
    def partial_update(self, request: Request, job_id: int) -> Response:
        """Set its priority; higher goes first."""
        job, given = self._job(job_id, steer=True), self.given(PriorityShape)
        services.prioritise_job(job=job, by=str(request.user), **given)
        return self._state(job_id)

    @extend_schema(request=None, responses=JobShape)
    def pause(self, request: Request, job_id: int) -> Response:
        """Let it wait; workers give its chunks back within seconds. Nothing happens to one that has ended."""
        return self._steer(job_id, services.pause_job)

    @extend_schema(request=None, responses=JobShape)
    def resume(self, request: Request, job_id: int) -> Response:
        """Let a paused one go on."""
        return self._steer(job_id, services.resume_job)

    @extend_schema(request=None, responses=JobShape)
    def cancel(self, request: Request, job_id: int) -> Response:
        """End it: what is found stays, the rest can be queued again."""
        return self._steer(job_id, services.cancel_job)

    def _steer(self, job_id: int, service: Callable[..., bool]) -> Response:
        service(job=self._job(job_id, steer=True), by=str(self.request.user))
        return self._state(job_id)

    def _state(self, job_id: int) -> Response:
        return Response(job_states(self.get_queryset().filter(pk=job_id))[0])

    def _job(self, job_id: int, *, steer: bool = False) -> IRIJob:
        job = self.get_queryset().filter(pk=job_id).first()
        if job is None:
            raise missing(IRIJob)
        if steer and not may_steer(self.request.user, job):
            raise ApiError(
                "role_too_low",
                f"job {job_id} is steered by whoever queued it, or by an editor of its network",
            )
        return job


def _layer(network: Network, name: str) -> Layer:
    layer = network.layers.filter(name=name).first()
    if layer is None:
        fault = services.describe_missing_layer(network, name)
        raise ApiError("invalid", fault, errors=[("layers", fault)])
    return layer


def _filtered(jobs: QuerySet[IRIJob], wanted: dict[str, Any]) -> QuerySet[IRIJob]:
    if "network" in wanted:
        jobs = jobs.filter(layer__network__slug=wanted["network"])
    if "image_set" in wanted:
        jobs = jobs.filter(image_set__slug=wanted["image_set"])
    if "status" not in wanted:
        return jobs
    is_paused = Q(paused=True, status__in=OPEN_JOBS)
    if wanted["status"] == PAUSED:
        return jobs.filter(is_paused)
    return jobs.filter(status=wanted["status"]).exclude(is_paused)


def _whole(job: IRIJob) -> dict[str, Any]:
    (state,) = job_states([job])
    chunks = job.chunks.worth_telling().values(
        *("id", "status", "reason", "attempts", "progress", "lease_until", "checkpoint_at"),
        worker=F("owner__name"),
    )
    errors = job.iris.failed().order_by("target__name").values("id", "reason", name=F("target__name"))
    history = job.history.order_by("-pk").values("chunk", "before", "after", "reason", "by", "at")
    return {
        **state,
        "chunks": list(chunks),
        "errors": [{"id": one["id"], "target": one["name"], "reason": one["reason"]} for one in errors],
        "history": list(history[:LATEST_CHANGES])[::-1],
    }
