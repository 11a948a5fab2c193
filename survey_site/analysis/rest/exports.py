"""Taking data away: files sent at once, and those written in the background."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Scope
from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.access.roles import ExportLevel, Role, export_level
from survey_site.analysis.export_models import ExportState
from survey_site.analysis.exporting.jobs import log_export, request_export, selection_of
from survey_site.analysis.exporting.kinds import KINDS, kind_named
from survey_site.analysis.exporting.selection import EXCLUSIONS, MARKED, ExportRefused, Filters, Selection
from survey_site.analysis.models import Export
from survey_site.participation.models import Mode
from survey_site.stimuli.services import StoreTrouble, storing
from survey_site.studies.models import Study

LEVELS = {level.label: level for level in (ExportLevel.DEIDENTIFIED, ExportLevel.FULL)}


class ExportFilter(serializers.Serializer):
    """Which rows, and how much they say of people: full exports are for owners."""

    mode = serializers.ChoiceField(choices=Mode.choices, default=Mode.REAL)
    version = serializers.IntegerField(required=False, min_value=1, max_value=99_999_999)
    exclusions = serializers.ChoiceField(choices=[*EXCLUSIONS], default=MARKED)
    since = serializers.DateField(required=False, help_text="Sessions that began on this day (UTC) or later.")
    until = serializers.DateField(required=False, help_text="Sessions that began on this day or earlier.")
    level = serializers.ChoiceField(choices=[*LEVELS], default=ExportLevel.DEIDENTIFIED.label)

    class Meta:
        ref_name = "ExportFilter"


class NewExport(ExportFilter):
    format = serializers.ChoiceField(choices=[*KINDS])

    class Meta:
        ref_name = "NewExport"


class ExportShape(serializers.ModelSerializer):
    format = serializers.CharField(source="kind")
    level = serializers.SerializerMethodField()
    filters = serializers.DictField(child=serializers.CharField())
    requested_by = serializers.CharField(source="requested_by.username", default=None, allow_null=True)

    class Meta:
        model = Export
        fields = [
            "id", "format", "level", "filters", "state", "reason", "done", "total", "size", "requested_by",
            "requested_at", "finished_at", "expires_at",
        ]  # fmt: skip
        ref_name = "Export"

    def get_level(self, export: Export) -> str:
        return ExportLevel(export.level).label


class ExportsView(ResearcherView):
    serializer_class = ExportShape
    scopes = dict.fromkeys(("list", "create", "retrieve", "download", "send"), Scope.EXPORT)
    refusals = (ExportRefused,)
    outages = (StoreTrouble,)
    statuses = {"send": (409,)}
    ordering = ("-requested_at", "pk")

    def get_queryset(self) -> QuerySet[Export]:
        return Export.objects.select_related("requested_by")

    def list(self, request: Request, slug: str) -> Response:
        """Files that were asked for, the newest first; those that say more than you may know are left out."""
        study = self._study(slug)
        found = self.get_queryset().filter(study=study).within(export_level(request.user, study))  # type: ignore[attr-defined]
        return self.paged(found, lambda page: list(ExportShape(page, many=True).data))

    @extend_schema(request=NewExport, responses={202: ExportShape})
    def create(self, request: Request, slug: str) -> Response:
        """Have a file written in the background; ask for it again until its `state` is done or failed."""
        study, given = self._study(slug), self.given(NewExport)
        kind = kind_named(given.pop("format"))
        export = request_export(selection=self._selection(study, given), kind=kind, by=request.user)
        return Response(ExportShape(export).data, status=202)

    def retrieve(self, request: Request, slug: str, export_id: Any) -> Response:
        """One file, and how far it is."""
        return Response(ExportShape(self._export(slug, export_id)).data)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def download(self, request: Request, slug: str, export_id: Any) -> FileResponse:
        """The file, once it is done."""
        export = self._export(slug, export_id)
        if export.state != ExportState.DONE:
            raise ApiError("refused", f"this export has no file: {export.get_state_display().lower()}")
        kind, selection = KINDS[export.kind], selection_of(export)
        with storing():
            file = export.file.open("rb")
        log_export(by=request.user, kind=kind, selection=selection, action="download an export")
        return FileResponse(
            file,
            as_attachment=True,
            filename=kind.file_name(selection),
            content_type="application/octet-stream",
        )

    @extend_schema(
        parameters=[ExportFilter],
        responses={
            (200, content_type): OpenApiTypes.BINARY
            for content_type in sorted({kind.content_type for kind in KINDS.values()})
        },
    )
    def send(self, request: Request, slug: str, kind: str) -> StreamingHttpResponse:
        """A file at once, sent while it is read: responses.csv, wide.csv, responses.parquet, ..."""
        study, given = self._study(slug), self.asked(ExportFilter)
        if kind not in KINDS:
            raise ApiError("not_found", f"there is no export {kind!r}; there are: {', '.join(KINDS)}")
        selection, wanted = self._selection(study, given), kind_named(kind)
        log_export(by=request.user, kind=wanted, selection=selection)
        answer = StreamingHttpResponse(
            wanted.stream(selection, lambda done, total: None), content_type=wanted.content_type
        )
        answer["Content-Disposition"] = f'attachment; filename="{wanted.file_name(selection)}"'
        return answer

    def _study(self, slug: str) -> Study:
        study: Study = self.shared(Study.objects.all(), Role.ANALYST, slug=slug)
        return study

    def _export(self, slug: str, export_id: Any) -> Export:
        study = self._study(slug)
        export = self.get_queryset().filter(study=study, pk=export_id).first()
        if export is None:
            raise missing(Export)
        self._check_level(study, ExportLevel(export.level))
        return export

    def _selection(self, study: Study, given: dict[str, Any]) -> Selection:
        level = LEVELS[given.pop("level")]
        self._check_level(study, level)
        return Selection(study, Filters.read(given), level)

    def _check_level(self, study: Study, level: ExportLevel) -> None:
        allowed = export_level(self.request.user, study)
        if level > allowed:
            raise PermissionDenied(
                f"a {level.label} export of {study} is for its owners; what you may take is {allowed.label}"
            )
