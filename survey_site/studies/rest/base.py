"""Views of one study: roles, and changes that say which state they change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView
from survey_site.access.roles import Role
from survey_site.studies.exclusion_rules import ExclusionError
from survey_site.studies.file_reading import StudyFileError
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.revisions import ChangedMeanwhile, lock_as_seen, stamp
from survey_site.studies.services import forget_preview

IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The `ETag` of the study as you read it, or `*`. Another state is answered by 412.",
)


class StudyView(ResearcherView):
    refusals = (StudyRefused, ExclusionError)

    def study(self, slug: str, role: Role = Role.VIEWER) -> Study:
        found: Study = self.shared(Study.objects.all(), role, slug=slug)
        return found

    @contextmanager
    def changing(self, slug: str, role: Role = Role.EDITOR, *, locked: bool = True) -> Iterator[Study]:
        """The study, held until the change is written, if it is as the caller last saw it.

        `locked`: an open study refuses the change. What a preview shows is forgotten with the change.
        """
        study = self.study(slug, role)
        with transaction.atomic():
            self._check_match(study)
            study.refresh_from_db()  # as it is now that nobody else changes it
            if locked:
                refuse_if_open(study)
                forget_preview(study)
            try:
                yield study
            except StudyFileError as error:
                raise as_invalid(error) from None

    def _check_match(self, study: Study) -> None:
        given = self.request.headers.get("If-Match", "").strip()
        if not given:
            raise ApiError(
                "precondition_required", "send If-Match with the ETag of the study as you read it, or *"
            )
        if given == "*":
            Study.objects.select_for_update(no_key=True).get(pk=study.pk)
            return
        try:
            lock_as_seen(study, given.strip('"').replace(";", " "))
        except ChangedMeanwhile as change:
            said = change.told[0].replace("opened it here", "read it").replace("nothing of yours", "nothing")
            raise ApiError("changed_meanwhile", " ".join([said, *change.told[1:]])) from None

    def tagged(self, study: Study, body: Any, status: int = 200) -> Response:
        """An answer that says in which state it leaves the study."""
        return Response(body, status=status, headers={"ETag": etag(study)})


def etag(study: Study) -> str:
    """The revision, which the database counts, and its time, so that a 412 can tell what came after."""
    study.refresh_from_db(fields=["revision"])
    return f'"{stamp(study).replace(" ", ";")}"'


def as_invalid(error: StudyFileError) -> ApiError:
    return ApiError("invalid", str(error), errors=error.faults)
