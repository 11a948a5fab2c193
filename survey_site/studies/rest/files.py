"""Studies as files, for git and other sites."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.parsing import RawJSON, RawYAML
from survey_site.access.roles import Role
from survey_site.access.services import record_event
from survey_site.studies.file_reading import StudyFileError
from survey_site.studies.rest.base import IF_MATCH, StudyView, as_invalid, etag
from survey_site.studies.rest.shapes import StudyLine
from survey_site.studies.study_file import (
    FORMATS,
    export_study_file,
    import_study_file,
    replace_by_study_file,
)

FILE = {"application/json": OpenApiTypes.OBJECT, "application/yaml": OpenApiTypes.OBJECT}
CONTENT_TYPES = {"json": "application/json", "yaml": "application/yaml"}


class StudyFilesView(StudyView):
    """docs/study-file.md says what is in a file."""

    serializer_class = StudyLine
    pagination_class = None
    parser_classes = [RawJSON, RawYAML]
    statuses = {"update": (412, 428)}

    @extend_schema(
        operation_id="studies_file_retrieve",
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "application/yaml"): OpenApiTypes.OBJECT,
        },
    )
    def retrieve(self, request: Request, slug: str, kind: str) -> HttpResponse:
        """The whole study as `study.json` or `study.yaml`; the same study is the same bytes."""
        study = self.study(slug, Role.EDITOR)  # it holds the completion codes
        if kind not in FORMATS:
            raise ApiError("not_found", f"there is no format {kind!r}; there are: {', '.join(FORMATS)}")
        answer = HttpResponse(export_study_file(study, kind), content_type=CONTENT_TYPES[kind])
        answer["ETag"] = etag(study)
        record_event(user=request.user, action="export study file", subject=study, detail={"format": kind})
        return answer

    @extend_schema(request=FILE, responses={201: StudyLine})
    def create(self, request: Request) -> Response:
        """A new draft from a file, owned by you."""
        try:
            study = import_study_file(self._file(), by=request.user)
        except StudyFileError as error:
            raise as_invalid(error) from None
        return self.tagged(study, StudyLine(study).data, status=201)

    @extend_schema(request=FILE, responses=StudyLine, parameters=[IF_MATCH])
    def update(self, request: Request, slug: str) -> Response:
        """The study takes the file's design."""
        with self.changing(slug, Role.EDITOR) as study:
            replace_by_study_file(study, self._file(), by=request.user)
        return self.tagged(study, StudyLine(study).data)

    def _file(self) -> bytes:
        given = self.request.data
        return given if isinstance(given, bytes) else b""
