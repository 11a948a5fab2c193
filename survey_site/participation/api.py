"""The participants' HTTP API. Each call checks its input, calls one service and answers."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any, cast

from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from survey_site.participation import services
from survey_site.participation.errors import Forbidden, Missing
from survey_site.participation.manifest import session_manifest
from survey_site.participation.models import Mode, SessionState, StudySession
from survey_site.participation.recruitment.endings import Ending, ending_of
from survey_site.participation.recruitment.identity import LINK_PARAMETERS
from survey_site.participation.services.looking import LinkState, look_at_link
from survey_site.participation.services.previews import preview_version
from survey_site.participation.withdrawal_views import withdrawal_address
from survey_site.studies.models import Study, StudyStatus, StudyVersion
from survey_site.studies.money import as_decimal
from survey_site.studies.texts import FIELDS, OPTIONAL_FIELDS

MAX_PARAMETERS = 50  # of a participant's link


class Whole(serializers.IntegerField):
    """A whole JSON number, written 3 or 3.0."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            self.fail("invalid")
        return int(data)


class Truth(serializers.BooleanField):
    """true or false, not a word for it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StartInput(serializers.Serializer):
    study = serializers.SlugField()
    mode = serializers.CharField(default="real")
    language = serializers.CharField(default="en")
    recruitment = serializers.DictField(child=serializers.CharField(allow_blank=True), default=dict)
    is_small_touch_device = Truth(default=False)

    def validate_recruitment(self, given: dict[str, str]) -> dict[str, str]:
        if len(given) > MAX_PARAMETERS:
            raise serializers.ValidationError(f"{len(given)} parameters; at most {MAX_PARAMETERS} are taken")
        return given


class ConsentInput(serializers.Serializer):
    agreed = Truth()
    consent_version = serializers.CharField()


class FinishInput(serializers.Serializer):
    last_seq = Whole(min_value=0, max_value=1_000_000)


def checked(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    given: dict[str, Any] = _check(serializer).run_validation(request.data)
    return given


@cache
def _check(serializer: type[serializers.Serializer]) -> serializers.Serializer:
    """One for all requests: it keeps nothing of what it checks, and making one copies every field."""
    return serializer()


class StudyInfo(APIView):
    """What anybody may know of a study before a session exists."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def get(self, request: Request, slug: str) -> Response:
        study = Study.objects.filter(slug=slug).first()
        if study is None:
            raise Missing("unknown_study", f"there is no study {slug!r}")
        ticket, mode = (request.query_params.get(name, "") for name in ("ticket", "mode"))
        version = preview_version(study, ticket) if ticket else study.current_version
        if version is None:
            raise Missing("not_open", "this study has not opened yet")
        settings, languages = version.settings, languages_of(version)
        wanted = request.query_params.get("language", "en")
        language = wanted if wanted in languages else languages[0]
        texts = version.texts[language]
        link = (
            LinkState()
            if ticket
            else look_at_link(study=study, mode=mode or Mode.REAL, recruitment=link_parameters(request))
        )
        return Response(
            {
                "slug": study.slug,
                "recruiter": study.recruiter,
                "title": texts["title"],
                "status": StudyStatus(study.status),
                "accepting": bool(ticket) or study.is_accepting(pilots=mode == Mode.PILOT),
                "full": services.is_full(study.pk, Mode.REAL, settings["quota"]),
                "link": {"fault": link.fault, "is_known": link.is_known},
                "languages": languages,
                "language": language,
                "minutes": settings["minutes"],
                "contact": settings["contact"],
                "pay": pay_of(settings),
                "image_px": settings["image_px"],
                "texts": {name: texts.get(name, "") for name in (*FIELDS, *OPTIONAL_FIELDS)},
                "consent_version": texts["consent_version"],
                "policy": {
                    "mobile": settings["mobile_policy"],
                    "keyboard_shortcuts": settings["keyboard_shortcuts"],
                },
            }
        )


def languages_of(version: StudyVersion) -> list[str]:
    """Those of the version's texts, the study's own first."""
    own = [language for language in version.settings.get("languages", []) if language in version.texts]
    return own + sorted(set(version.texts) - set(own))


def link_parameters(request: Request) -> dict[str, str]:
    """What the address says of who comes; everything else in it is nobody's."""
    return {name: request.query_params[name] for name in LINK_PARAMETERS if name in request.query_params}


def pay_of(settings: dict[str, Any]) -> dict[str, str] | None:
    """What a participant is told to be paid; None: the study says nothing of pay."""
    minor, currency = settings.get("base_pay_minor", 0), settings.get("currency", "")
    return {"amount": str(as_decimal(minor, currency)), "currency": currency} if minor else None


class Sessions(APIView):
    """A click on “start” makes a session; looking at the page makes none."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        given = checked(StartInput, request)
        started = services.start_session(
            slug=given["study"],
            mode=given["mode"],
            language=given["language"],
            recruitment=given["recruitment"],
            is_small_touch_device=given["is_small_touch_device"],
        )
        body = {
            "token": started.token,
            "session_id": str(started.session.pk),
            "state": started.session.state,
        }
        return Response(body, status=201 if started.is_new else 200)


def session_of(request: Request) -> StudySession:
    return cast(StudySession, request.user)


def ending_body(session: StudySession, ending: Ending | None = None) -> dict[str, Any]:
    return {**asdict(ending or ending_of(session)), "withdraw_url": withdrawal_address(session)}


class MySession(APIView):
    def get(self, request: Request) -> Response:
        session = session_of(request)
        services.drop_stale(session.study_id, session.mode)
        session.refresh_from_db(fields=["state"])
        return Response(
            {
                "session_id": str(session.pk),
                "state": session.state,
                "screened_out_by": session.screened_out_by,
                "study": session.study.slug,
                "next_seq": session.last_seq + 1,
                **ending_body(session),
            }
        )


class Consent(APIView):
    def post(self, request: Request) -> Response:
        given = checked(ConsentInput, request)
        session = services.give_consent(session=session_of(request), **given)
        return Response({"state": session.state, **ending_body(session)})


class Manifest(APIView):
    def get(self, request: Request) -> Response:
        session = session_of(request)
        if session.state == SessionState.WITHDRAWN:
            raise Forbidden("withdrawn", "this participant has withdrawn")
        if session.slot is None:
            raise Forbidden("not_consented", f"this session is {session.state}; consent comes first")
        if session.state == SessionState.DROPPED:
            raise Forbidden("session_expired", "this session was left for too long; it cannot go on")
        return Response(session_manifest(session))


class Finish(APIView):
    def post(self, request: Request) -> Response:
        session = session_of(request)
        done = services.finish_session(session=session, **checked(FinishInput, request))
        if not done.complete:
            return Response(
                {
                    "complete": False,
                    "missing_seqs": done.missing_seqs,
                    "unanswered": done.unanswered,
                    "questionnaire_open": done.questionnaire_open,
                }
            )
        return Response(
            {
                "complete": True,
                **ending_body(session, done.ending),
            }
        )
