"""Studies: drafts made and changed, previewed, opened, paused, closed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.http import urlencode
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Scope
from survey_site.access.rest.members import MembersView
from survey_site.access.roles import Role, may, role_of
from survey_site.access.services import record_event
from survey_site.studies import services
from survey_site.studies.cloning import clone_study
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import Study
from survey_site.studies.plans import planned_counts
from survey_site.studies.previews import TICKET_SECONDS, preview_ticket
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.rest.base import IF_MATCH, StudyView
from survey_site.studies.rest.shapes import (
    CloneShape,
    NewStudy,
    ReadinessShape,
    StudyChanges,
    StudyFilter,
    StudyLine,
    WholeStudy,
    without_codes,
)


class PreviewShape(serializers.Serializer):
    url = serializers.URLField()
    valid_seconds = serializers.IntegerField()


RUNS = ("preview", "pilot", "open", "pause", "close")


class StudiesView(StudyView):
    serializer_class = WholeStudy
    ordering = ("-created_at", "-pk")
    scopes = dict.fromkeys(RUNS, Scope.RUN)
    statuses = dict.fromkeys(("partial_update", "destroy"), (412, 428))

    def get_queryset(self) -> QuerySet[Study]:
        return Study.objects.visible_to(self.request.user)

    @extend_schema(parameters=[StudyFilter], responses=StudyLine(many=True))
    def list(self, request: Request) -> Response:
        """Studies that are shared with you, the newest first."""
        found = self.get_queryset().filter(**self.asked(StudyFilter))
        return self.paged(found, lambda page: list(StudyLine(page, many=True).data))

    @extend_schema(request=NewStudy, responses={201: WholeStudy})
    def create(self, request: Request) -> Response:
        """A draft with the default English texts, owned by you."""
        given = self.given(NewStudy)
        facts = given.pop("settings", {})
        study = services.create_study(created_by=request.user, **given, **facts)
        return self._whole(study.slug, status=201)

    def retrieve(self, request: Request, slug: str) -> Response:
        """One study. Its `ETag` is what a change names in `If-Match`."""
        return self._whole(slug)

    @extend_schema(request=StudyChanges, responses=WholeStudy, parameters=[IF_MATCH])
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change its name or settings; of an open study only what is about who comes."""
        with self.changing(slug, locked=False) as study:
            given = self.given(StudyChanges, partial=True)
            changes = {**given.pop("settings", {}), **given}
            if set(changes) - set(Study.EDITABLE_WHILE_OPEN):
                refuse_if_open(study)
            services.forget_preview(study)
            for name, value in changes.items():
                setattr(study, name, value)
            study.clean()
            study.save()
        return self._whole(slug)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, slug: str) -> Response:
        """Delete it, if no session depends on it; for owners."""
        with self.changing(slug, Role.OWNER) as study:
            study.delete()
            record_event(user=request.user, action="delete study", subject=study)
        return Response(status=204)

    @extend_schema(responses=ReadinessShape)
    def readiness(self, request: Request, slug: str) -> Response:
        """What keeps it from opening, and the trials that opening would make."""
        study = self.study(slug)
        return self.tagged(study, {"missing": missing_for_opening(study), "trials": planned_counts(study)})

    @extend_schema(request=None, responses=PreviewShape)
    def preview(self, request: Request, slug: str) -> Response:
        """Freeze it as it stands for a preview: an address that shows it as participants would see it."""
        study = self.study(slug, Role.EDITOR)
        services.freeze_preview(study)
        wanted = urlencode({"mode": "preview", "ticket": preview_ticket(study)})
        return Response({"url": f"{participant_link(study)}?{wanted}", "valid_seconds": TICKET_SECONDS})

    @extend_schema(request=None, responses=WholeStudy)
    def pilot(self, request: Request, slug: str) -> Response:
        """Freeze it and let pilots in, but nobody else yet."""
        services.pilot_study(study=self.study(slug, Role.EDITOR), by=request.user)
        return self._whole(slug)

    @extend_schema(request=None, responses=WholeStudy)
    def open(self, request: Request, slug: str) -> Response:
        """Freeze it into a version, unless nothing changed since the last one, and let people in."""
        services.open_study(study=self.study(slug, Role.EDITOR), opened_by=request.user)
        return self._whole(slug)

    @extend_schema(request=None, responses=WholeStudy)
    def pause(self, request: Request, slug: str) -> Response:
        """No new sessions; those under way may finish."""
        services.pause_study(study=self.study(slug, Role.EDITOR), by=request.user)
        return self._whole(slug)

    @extend_schema(request=None, responses=WholeStudy)
    def close(self, request: Request, slug: str) -> Response:
        """No new sessions until it is opened again; those under way may finish."""
        services.close_study(study=self.study(slug, Role.EDITOR), by=request.user)
        return self._whole(slug)

    @extend_schema(request=CloneShape, responses={201: WholeStudy})
    def clone(self, request: Request, slug: str) -> Response:
        """A new draft of yours that begins as this study stands; sessions and versions stay behind."""
        study = self.study(slug, Role.EDITOR)
        made = clone_study(study=study, by=request.user, **self.given(CloneShape))
        return self._whole(made.slug, status=201)

    def _whole(self, slug: str, status: int = 200) -> Response:
        study: Any = self.study(slug)
        study.role = role_of(self.request.user, study)
        study.participant_link = participant_link(study)
        body = dict(WholeStudy(study).data)
        if not may(self.request.user, Role.EDITOR, study):
            body["settings"] = without_codes(body["settings"])
        return self.tagged(study, body, status)


def participant_link(study: Study) -> str:
    return f"{settings.PUBLIC_URL}{reverse('survey-page', args=[study.slug])}"


class StudyMembers(MembersView):
    def things(self) -> QuerySet[Any]:
        return Study.objects.all()
