"""Pilot bots: sent over REST, run by the housekeeping worker over the participants' API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Scope
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.access.roles import Role
from survey_site.participation.pilot_models import MOST_BOTS, PilotRun
from survey_site.participation.services.pilots import ask_for_bots
from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused


class BotRunShape(serializers.ModelSerializer):
    id = serializers.IntegerField(read_only=True)

    class Meta:
        model = PilotRun
        fields = ["id", "n_bots", "p_target", "state", "reason", "n_finished", "asked_at"]
        read_only_fields = ["state", "reason", "n_finished", "asked_at"]
        ref_name = "BotRun"


class NewBotRun(serializers.Serializer):
    n_bots = serializers.IntegerField(default=30, min_value=1, max_value=MOST_BOTS)
    p_target = serializers.FloatField(
        default=0.8, min_value=0, max_value=1, help_text="How often a bot chooses the answer."
    )

    class Meta:
        ref_name = "NewBotRun"


class BotsView(ResearcherView):
    serializer_class = BotRunShape
    refusals = (StudyRefused,)
    scopes = {"create": Scope.RUN}
    ordering = ("-pk",)

    def get_queryset(self) -> QuerySet[PilotRun]:
        return PilotRun.objects.all()

    def list(self, request: Request, slug: str) -> Response:
        """Bots that were sent, the latest first."""
        found = self.get_queryset().filter(study=self._study(slug))
        return self.paged(found, lambda page: list(BotRunShape(page, many=True).data))

    @extend_schema(request=NewBotRun, responses={202: BotRunShape})
    def create(self, request: Request, slug: str) -> Response:
        """Have bots take the study as pilots; ask again until `state` is done or failed."""
        study = self._study(slug, Role.EDITOR)
        given = self.given(NewBotRun)
        run = ask_for_bots(study=study, n=given["n_bots"], p_target=given["p_target"], by=request.user)
        run.refresh_from_db()
        return Response(BotRunShape(run).data, status=202)

    def retrieve(self, request: Request, slug: str, run_id: int) -> Response:
        """How far they are."""
        run = self.get_queryset().filter(study=self._study(slug), pk=run_id).first()
        if run is None:
            raise missing(PilotRun)
        return Response(BotRunShape(run).data)

    def _study(self, slug: str, role: Role = Role.VIEWER) -> Any:
        return self.shared(Study.objects.all(), role, slug=slug)
