"""Sessions of a study: listed with what the live page shows of them, and decided about one by one."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Scope
from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.access.roles import Role
from survey_site.analysis.models import Exclusion
from survey_site.console.live_actions import ACTIONS, act_on
from survey_site.participation.models import Mode, Payment, SessionState, StudySession
from survey_site.participation.recruitment.prolific import REJECTION_CATEGORIES
from survey_site.studies.models import Study


class ExclusionShape(serializers.ModelSerializer):
    class Meta:
        model = Exclusion
        fields = ["rule", "reason", "decided_at"]
        ref_name = "Exclusion"


class FlagShape(serializers.Serializer):
    rule = serializers.CharField()
    reason = serializers.CharField()

    class Meta:
        ref_name = "Flag"


class PaymentShape(serializers.ModelSerializer):
    class Meta:
        model = Payment
        fields = ["kind", "state", "amount_minor", "currency", "reason", "decided_at"]
        ref_name = "Payment"


class SessionShape(serializers.ModelSerializer):
    """No recruiter's id is in it; a full export has them."""

    version = serializers.IntegerField(source="version.number")
    participant = serializers.UUIDField(source="participant_id", help_text="A pseudonym.")
    mode = serializers.ChoiceField(choices=Mode.choices)
    exclusions = ExclusionShape(many=True)
    flags = serializers.SerializerMethodField()
    payments = PaymentShape(many=True)

    class Meta:
        model = StudySession
        fields = [
            "id", "participant", "version", "mode", "language", "recruiter", "state", "screened_out_by",
            "slot", "created_at", "consented_at", "finished_at", "last_seen_at", "exclusions", "flags",
            "payments",
        ]  # fmt: skip
        ref_name = "Session"

    @extend_schema_field(FlagShape(many=True))
    def get_flags(self, session: Any) -> list[dict[str, str]]:
        found = getattr(session, "flags", None)
        return [{"rule": one["rule"], "reason": one["reason"]} for one in (found.flags if found else [])]


class SessionFilter(serializers.Serializer):
    mode = serializers.ChoiceField(choices=Mode.choices, required=False)
    state = serializers.ChoiceField(choices=SessionState.choices, required=False)
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    excluded = serializers.BooleanField(required=False, allow_null=True, default=None)
    created_after = serializers.DateTimeField(required=False)
    created_before = serializers.DateTimeField(required=False)


class ReasonShape(serializers.Serializer):
    reason = serializers.CharField(max_length=1000)


class RejectionShape(ReasonShape):
    category = serializers.ChoiceField(choices=[*REJECTION_CATEGORIES], default="OTHER")


class BonusShape(ReasonShape):
    amount = serializers.DecimalField(
        max_digits=10, decimal_places=2, min_value=0, help_text="In the study's currency."
    )
    key = serializers.UUIDField(required=False, help_text="The same key again gives nothing again.")


class RuleShape(serializers.Serializer):
    rule = serializers.CharField(max_length=30)


#: By action what it reads; those that are not here read nothing.
BODIES: dict[str, type[serializers.Serializer]] = {
    "reject": RejectionShape,
    "bonus": BonusShape,
    "exclude": ReasonShape,
    "exclude_by_rule": RuleShape,
}
WHERE = {
    "mode": "mode",
    "state": "state",
    "version": "version__number",
    "created_after": "created_at__gt",
    "created_before": "created_at__lt",
}


class SessionsView(ResearcherView):
    serializer_class = SessionShape
    ordering = ("-created_at", "pk")
    scopes = dict.fromkeys(ACTIONS, Scope.RUN)
    statuses = dict.fromkeys(ACTIONS, (409,))

    def get_queryset(self) -> QuerySet[StudySession]:
        found = StudySession.objects.filter(mode__in=Mode.values).select_related("version", "flags")
        return found.prefetch_related("payments", Prefetch("exclusions", Exclusion.objects.order_by("rule")))

    @extend_schema(parameters=[SessionFilter])
    def list(self, request: Request, slug: str) -> Response:
        """Its sessions, the newest first."""
        study, wanted = self._study(slug), self.asked(SessionFilter)
        chosen = {WHERE[name]: wanted[name] for name in WHERE if name in wanted}
        found = self.get_queryset().filter(study=study, **chosen)
        if wanted["excluded"] is not None:
            left_out = Exclusion.objects.filter(session__study=study).values("session")
            found = found.filter(pk__in=left_out) if wanted["excluded"] else found.exclude(pk__in=left_out)
        return self.paged(found, lambda page: list(SessionShape(page, many=True).data))

    def retrieve(self, request: Request, slug: str, session_id: UUID) -> Response:
        """One session."""
        return Response(self._shaped(self._study(slug), session_id))

    @extend_schema(request=None, responses=SessionShape)
    def approve(self, request: Request, slug: str, session_id: UUID) -> Response:
        """It earns its version's base pay."""
        return self._act("approve", slug, session_id)

    @extend_schema(request=RejectionShape, responses=SessionShape)
    def reject(self, request: Request, slug: str, session_id: UUID) -> Response:
        """It earns nothing, for this reason. Its answers are untouched."""
        return self._act("reject", slug, session_id)

    @extend_schema(request=BonusShape, responses=SessionShape)
    def bonus(self, request: Request, slug: str, session_id: UUID) -> Response:
        """Something on top."""
        return self._act("bonus", slug, session_id)

    @extend_schema(request=None, responses=SessionShape)
    def paid(self, request: Request, slug: str, session_id: UUID) -> Response:
        """What was approved has been paid outside of this site."""
        return self._act("paid", slug, session_id)

    @extend_schema(request=None, responses=SessionShape)
    def release(self, request: Request, slug: str, session_id: UUID) -> Response:
        """Drop a session under way: its slot goes to the next."""
        return self._act("release", slug, session_id)

    @extend_schema(request=ReasonShape, responses=SessionShape)
    def exclude(self, request: Request, slug: str, session_id: UUID) -> Response:
        """Leave it out of the scores, for a reason of your own that is part of the report."""
        return self._act("exclude", slug, session_id)

    @extend_schema(request=RuleShape, responses=SessionShape)
    def exclude_by_rule(self, request: Request, slug: str, session_id: UUID) -> Response:
        """Leave it out if the rule speaks against it."""
        return self._act("exclude_by_rule", slug, session_id)

    @extend_schema(request=None, responses=SessionShape)
    def include(self, request: Request, slug: str, session_id: UUID) -> Response:
        """Take a researcher's own exclusion back."""
        return self._act("include", slug, session_id)

    def _act(self, name: str, slug: str, session_id: UUID) -> Response:
        """The same decision again changes nothing and is no error."""
        study = self._study(slug, ACTIONS[name].role)
        given: dict[str, Any] = self.given(BODIES[name]) if name in BODIES else {}
        if name == "bonus":
            given.setdefault("key", uuid4())
        outcome = act_on(study=study, name=name, keys=[session_id], given=given, user=self.request.user)
        if outcome.unknown:
            raise missing(StudySession)
        for refusal in outcome.refused:
            raise ApiError("refused", refusal)
        return Response(self._shaped(study, session_id))

    def _study(self, slug: str, role: Role = Role.VIEWER) -> Study:
        study: Study = self.shared(Study.objects.all(), role, slug=slug)
        return study

    def _shaped(self, study: Study, session_id: UUID) -> Any:
        session = self.get_queryset().filter(study=study, pk=session_id).first()
        if session is None:
            raise missing(StudySession)
        return SessionShape(session).data
