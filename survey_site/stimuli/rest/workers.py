"""Workers as they last announced themselves."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.views import ResearcherView, missing
from survey_site.stimuli.models import Worker
from survey_site.stimuli.worker_view import worker_states


class HeldChunk(serializers.Serializer):
    chunk = serializers.IntegerField()
    job = serializers.IntegerField()
    pair = serializers.CharField()
    attempt = serializers.IntegerField()
    started_at = serializers.DateTimeField(allow_null=True)
    lease_until = serializers.DateTimeField(allow_null=True)
    progress = serializers.DictField()


class WorkerShape(serializers.Serializer):
    name = serializers.CharField()
    host = serializers.CharField(allow_blank=True)
    device = serializers.CharField(allow_blank=True)
    memory_gib = serializers.FloatField(allow_null=True)
    queues = serializers.ListField(child=serializers.CharField())
    networks = serializers.DictField(
        child=serializers.IntegerField(), help_text="By source, how many it can build."
    )
    is_alive = serializers.BooleanField()
    trouble = serializers.CharField(allow_blank=True, help_text="Why it takes no work now.")
    chunk = HeldChunk(allow_null=True)
    images_per_minute = serializers.FloatField()
    last_heartbeat = serializers.DateTimeField()
    versions = serializers.DictField()

    class Meta:
        ref_name = "Worker"


class WholeWorker(WorkerShape):
    architectures = serializers.DictField(
        child=serializers.DictField(), help_text="By source and name, how each is fed."
    )

    class Meta:
        ref_name = "WholeWorker"


class WorkersView(ResearcherView):
    serializer_class = WorkerShape
    ordering = ("name",)

    def get_queryset(self) -> QuerySet[Worker]:
        return Worker.objects.with_state()

    def list(self, request: Request) -> Response:
        """Every worker that ever announced itself, by name; `is_alive` says which live."""
        return self.paged(self.get_queryset(), worker_states)

    @extend_schema(responses=WholeWorker)
    def retrieve(self, request: Request, name: str) -> Response:
        """One worker, with the networks that it can build."""
        worker: Any = self.get_queryset().filter(name=name).first()
        if worker is None:
            raise missing(Worker)
        (state,) = worker_states([worker])
        return Response({**state, "architectures": worker.architectures})
