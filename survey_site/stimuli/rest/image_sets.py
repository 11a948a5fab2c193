"""Image sets: listed, made, filled."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.members import MembersView
from survey_site.access.rest.parsing import StorableJSON
from survey_site.access.rest.views import ResearcherView
from survey_site.access.roles import Role
from survey_site.access.services import make_owner
from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, TargetImage

MOST_FILES = 100  # a request


#: Others must know what they may do with the images.
SAID: dict[str, Any] = {key: {"required": True, "allow_blank": False} for key in ("licence", "source")}


class ImageSetShape(serializers.ModelSerializer):
    n_images = serializers.IntegerField(read_only=True)

    class Meta:
        model = ImageSet
        fields = ["slug", "name", "licence", "source", "n_images", "created_at"]
        read_only_fields = ["created_at"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}, **SAID}
        ref_name = "ImageSet"


class ImageSetFacts(serializers.ModelSerializer):
    class Meta:
        model = ImageSet
        fields = ["name", "licence", "source"]
        extra_kwargs: ClassVar[dict[str, Any]] = SAID
        ref_name = "ImageSetFacts"


class TargetShape(serializers.ModelSerializer):
    sha256 = serializers.CharField(source="image.sha256")
    width = serializers.IntegerField(source="image.width")
    height = serializers.IntegerField(source="image.height")

    class Meta:
        model = TargetImage
        fields = ["id", "name", "label", "sha256", "width", "height"]
        ref_name = "Target"


class UploadShape(serializers.Serializer):
    files = serializers.ListField(child=serializers.FileField(), min_length=1, max_length=MOST_FILES)
    label = serializers.CharField(default="", allow_blank=True, max_length=120, help_text="Of all of them.")

    class Meta:
        ref_name = "Upload"


class RefusedImage(serializers.Serializer):
    name = serializers.CharField()
    reason = serializers.CharField()


class UploadReport(serializers.Serializer):
    added = serializers.ListField(child=serializers.CharField())
    duplicates = serializers.ListField(child=serializers.CharField())
    refused = RefusedImage(many=True)


class ImageSetsView(ResearcherView):
    serializer_class = ImageSetShape
    outages = (services.StoreTrouble,)

    def get_queryset(self) -> QuerySet[ImageSet]:
        return ImageSet.objects.visible_to(self.request.user).annotate(n_images=Count("targets"))

    def list(self, request: Request) -> Response:
        """Image sets that are shared with you."""
        return self.paged(self.get_queryset(), lambda page: list(ImageSetShape(page, many=True).data))

    @extend_schema(request=ImageSetShape, responses={201: ImageSetShape})
    def create(self, request: Request) -> Response:
        """Make an empty set."""
        given = self.given(ImageSetShape)
        image_set, is_new = ImageSet.objects.get_or_create(slug=given.pop("slug"), defaults=given)
        if not is_new:
            raise ApiError("refused", f"image set {image_set.slug!r} exists already; take another slug")
        make_owner(user=request.user, of=image_set)
        return Response(ImageSetShape(self.get_queryset().get(pk=image_set.pk)).data, status=201)

    def retrieve(self, request: Request, slug: str) -> Response:
        """One set."""
        return Response(ImageSetShape(self._set(slug)).data)

    @extend_schema(request=ImageSetFacts, responses=ImageSetShape)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Correct its name, licence or source."""
        image_set, given = self._set(slug, Role.EDITOR), self.given(ImageSetFacts, partial=True)
        for name, value in given.items():
            setattr(image_set, name, value)
        image_set.save(update_fields=list(given))
        return Response(ImageSetShape(image_set).data)

    def _set(self, slug: str, role: Role = Role.VIEWER) -> Any:
        return self.shared(ImageSet.objects.annotate(n_images=Count("targets")), role, slug=slug)


class ImagesView(ResearcherView):
    """The images of one set."""

    serializer_class = TargetShape
    parser_classes = [StorableJSON, MultiPartParser]
    outages = (services.StoreTrouble,)
    ordering = ("name", "pk")

    def get_queryset(self) -> QuerySet[TargetImage]:
        return TargetImage.objects.select_related("image")

    def list(self, request: Request, slug: str) -> Response:
        """Its images by name."""
        targets = self.get_queryset().filter(image_set=self.shared(ImageSet.objects.all(), slug=slug))
        return self.paged(targets, lambda page: list(TargetShape(page, many=True).data))

    @extend_schema(request={"multipart/form-data": UploadShape}, responses={200: UploadReport})
    def create(self, request: Request, slug: str) -> Response:
        """Add image files. Those that are no images are refused by name, the others are added."""
        image_set, given = (
            self.shared(ImageSet.objects.all(), Role.EDITOR, slug=slug),
            self.given(UploadShape),
        )
        files = ((file.name, file.read(), given["label"]) for file in given["files"])
        report = services.import_images(image_set=image_set, files=files)
        refused = [{"name": name, "reason": reason} for name, reason in report.refused]
        return Response({"added": report.added, "duplicates": report.duplicates, "refused": refused})


class ImageSetMembers(MembersView):
    def things(self) -> QuerySet[Any]:
        return ImageSet.objects.all()
