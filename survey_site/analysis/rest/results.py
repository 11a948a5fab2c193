"""Scores and everything else that was computed of a study."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.results import stored_results
from survey_site.participation.models import Mode
from survey_site.studies.models import Study


class ModeFilter(serializers.Serializer):
    mode = serializers.ChoiceField(choices=Mode.choices, default=Mode.REAL)


class ScoreShape(serializers.ModelSerializer):
    """A condition's human-alignment score over all versions, as last computed."""

    condition = serializers.CharField(source="condition.slug")
    network = serializers.CharField(source="condition.layer.network.slug")
    layer = serializers.CharField(source="condition.layer.name")
    recipe = serializers.CharField(source="condition.recipe.sha256")
    intervals = serializers.DictField(help_text="By name (twoway is the default): low, high, note.")
    settings = serializers.DictField()
    versions = serializers.DictField()
    exclusions = serializers.DictField()

    class Meta:
        model = AlignmentScore
        fields = [
            "condition", "network", "layer", "recipe", "mode", "estimate", "n", "hits", "n_participants",
            "n_items", "participant_mean", "item_mean", "chance", "d_prime", "intervals", "settings",
            "versions", "exclusions", "computed_at",
        ]  # fmt: skip
        ref_name = "Score"


class ResultsShape(serializers.Serializer):
    mode = serializers.ChoiceField(choices=Mode.choices)
    read_at = serializers.DateTimeField(allow_null=True, help_text="When the answers were read.")
    failure = serializers.CharField(
        allow_blank=True, help_text="Why the last attempt failed; the report is then an older one."
    )
    report = serializers.DictField(help_text="All statistics, as `manage.py alignment --json` gives them.")

    class Meta:
        ref_name = "Results"


class ScoresView(ResearcherView):
    serializer_class = ScoreShape
    ordering = ("condition__slug", "pk")

    def get_queryset(self) -> QuerySet[AlignmentScore]:
        return AlignmentScore.objects.with_pairs()

    @extend_schema(parameters=[ModeFilter])
    def list(self, request: Request, slug: str) -> Response:
        """Scores by condition. While the study is open they move: no stopping on them."""
        study: Study = self.shared(Study.objects.all(), slug=slug)
        found = AlignmentScore.objects.of_study(study, self.asked(ModeFilter)["mode"]).with_pairs()
        return self.paged(found, lambda page: list(ScoreShape(page, many=True).data))


class ResultsView(ResearcherView):
    serializer_class = ResultsShape
    pagination_class = None

    @extend_schema(operation_id="studies_results_retrieve", parameters=[ModeFilter])
    def retrieve(self, request: Request, slug: str) -> Response:
        """The whole report: scores, profiles, agreement, exclusions, methods paragraph."""
        study: Study = self.shared(Study.objects.all(), slug=slug)
        mode = self.asked(ModeFilter)["mode"]
        results: Any = stored_results(study, mode)
        if results is None or not results.report:
            raise ApiError("not_found", f"no results of {mode} sessions have been computed yet")
        return Response(
            {
                "mode": mode,
                "read_at": results.read_at,
                "failure": results.failure,
                "report": results.report,
            }
        )
