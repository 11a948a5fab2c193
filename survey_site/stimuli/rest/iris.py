"""IRIs: what was found, how good it is, and the images."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIStatus

#: By the word of the address, the column that holds the image.
IMAGES = {"iri": "image", "start": "start_image", "target": "target_resized"}


class IRIShape(serializers.ModelSerializer):
    job = serializers.IntegerField(source="job_id")
    network = serializers.CharField(source="layer.network.slug")
    layer = serializers.CharField(source="layer.name")
    recipe = serializers.CharField(source="recipe.sha256")
    image_set = serializers.CharField(source="target.image_set.slug")
    target = serializers.CharField(source="target.name")
    label = serializers.CharField(source="target.label", help_text="The target's, in its image set.")
    image_sha256 = serializers.CharField(source="image.sha256", default=None, allow_null=True)
    start_image_sha256 = serializers.CharField(source="start_image.sha256", default=None, allow_null=True)
    target_sha256 = serializers.CharField(
        source="target_resized.sha256", default=None, allow_null=True, help_text="At the recipe's size."
    )
    measures = serializers.DictField()

    class Meta:
        model = IRI
        fields = [
            "id", "job", "network", "layer", "recipe", "image_set", "target", "label", "rng_seed", "status",
            "reason", "image_sha256", "start_image_sha256", "target_sha256", "relative_error", "cosine",
            "target_label", "iri_label", "same_label", "passed", "passed_reason", "measures", "finished_at",
        ]  # fmt: skip
        ref_name = "IRI"


class TracePoint(serializers.ListField):
    child = serializers.FloatField(allow_null=True)


class WholeIRI(IRIShape):
    loss_trace = serializers.ListField(child=TracePoint(), help_text="[step, relative error] pairs.")
    provenance = serializers.DictField()

    class Meta(IRIShape.Meta):
        fields = [*IRIShape.Meta.fields, "loss_trace", "provenance"]
        ref_name = "WholeIRI"


class IRIFilter(serializers.Serializer):
    network = serializers.SlugField(required=False)
    layer = serializers.CharField(required=False, max_length=200)
    recipe = serializers.CharField(required=False, max_length=64, help_text="sha256")
    image_set = serializers.SlugField(required=False)
    job = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    status = serializers.ChoiceField(choices=IRIStatus.choices, required=False)
    passed = serializers.BooleanField(required=False, allow_null=True, default=None)


WHERE = {
    "network": "layer__network__slug",
    "layer": "layer__name",
    "recipe": "recipe__sha256",
    "image_set": "target__image_set__slug",
    "job": "job",
    "status": "status",
    "passed": "passed",
}


class IRIsView(ResearcherView):
    serializer_class = IRIShape
    outages = (services.StoreTrouble,)

    def get_queryset(self) -> QuerySet[IRI]:
        found = IRI.objects.visible_to(self.request.user).with_images()
        return found.select_related(
            *("layer__network", "recipe", "target__image_set", "image", "start_image", "target_resized")
        )

    @extend_schema(parameters=[IRIFilter])
    def list(self, request: Request) -> Response:
        """IRIs of networks and image sets that are both shared with you, with what was measured of each."""
        wanted = {name: value for name, value in self.asked(IRIFilter).items() if value is not None}
        found = self.get_queryset().filter(**{WHERE[name]: value for name, value in wanted.items()})
        return self.paged(found.defer("loss_trace", "provenance"), _shaped)

    @extend_schema(responses=WholeIRI)
    def retrieve(self, request: Request, iri_id: Any) -> Response:
        """One IRI, with its loss trace and provenance."""
        return Response(WholeIRI(self._iri(iri_id)).data)

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    def image(self, request: Request, iri_id: Any, kind: str) -> FileResponse:
        """Its PNG: `iri`, `start` (where the descent began) or `target` (at the recipe's size)."""
        iri = self._iri(iri_id)
        if kind not in IMAGES:
            raise ApiError("not_found", f"there is no image {kind!r}; there are: {', '.join(IMAGES)}")
        stored = getattr(iri, IMAGES[kind])
        if stored is None:
            raise ApiError("not_found", f"this IRI has no {kind} image yet")
        with services.storing():
            file = stored.file.open("rb")
        return FileResponse(file, content_type=stored.media_type)

    def _iri(self, iri_id: Any) -> IRI:
        iri = self.get_queryset().filter(pk=iri_id).first()
        if iri is None:
            raise missing(IRI)
        return iri


def _shaped(page: list[IRI]) -> list[Any]:
    return list(IRIShape(page, many=True).data)
