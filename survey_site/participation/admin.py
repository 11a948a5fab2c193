"""Sessions, for reading: who is where, and what the browser said."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from survey_site.access.role_admin import ReadOnlyAdmin, VisibleRows
from survey_site.access.roles import Role, may
from survey_site.participation.models import PREVIEW, LogEntry, Payment, SessionState, StudySession

STATE_COLOURS = {
    SessionState.FINISHED: "success",
    SessionState.RUNNING: "info",
    SessionState.CONSENTED: "info",
    SessionState.REFUSED: "warning",
    SessionState.SCREENED_OUT: "warning",
    SessionState.DROPPED: "danger",
    SessionState.WITHDRAWN: "danger",
}


class ProblemFilter(admin.SimpleListFilter):
    """Sessions whose participants reported something."""

    title = "problem reported"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StudySession]) -> QuerySet[StudySession]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(Exists(LogEntry.objects.problems().filter(session=OuterRef("pk"))))


@admin.register(StudySession)
class StudySessionAdmin(VisibleRows, ReadOnlyAdmin):
    list_display = [
        "__str__",
        "study",
        "mode",
        "state_label",
        "answered",
        "recruiter",
        "created_at",
        "last_seen_at",
    ]
    list_filter = [
        ("study", admin.RelatedOnlyFieldListFilter),
        "mode",
        "state",
        "screened_out_by",
        "recruiter",
        ProblemFilter,
    ]
    search_fields = ["id", "participant__id"]
    fields = [
        ("study", "version", "mode"),
        ("participant", "recruiter", "language"),
        ("state", "screened_out_by", "slot", "rng_seed"),
        ("created_at", "consented_at", "finished_at", "last_seen_at"),
        ("withdrawn_at", "is_anonymised"),
        "consent_version",
        "payment_log",
        "problems",
    ]
    readonly_fields = [name for row in fields for name in ([row] if isinstance(row, str) else row)]

    def get_fields(self, request: HttpRequest, obj: StudySession | None = None) -> Any:
        """What participants wrote is data: viewers take none of it."""
        reads = obj is None or may(request.user, Role.ANALYST, obj.study)
        return self.fields if reads else [name for name in self.fields if name != "problems"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StudySession]:
        return (
            super()
            .get_queryset(request)
            .exclude(mode=PREVIEW)
            .select_related("study")
            .annotate(
                n_presentations=Count("presentations", distinct=True),
                n_answered=Count(
                    "presentations", filter=Q(presentations__responses__isnull=False), distinct=True
                ),
            )
        )

    @display(description="State", label=STATE_COLOURS, ordering="state")
    def state_label(self, session: StudySession) -> tuple[str, str]:
        label = SessionState(session.state).label
        return session.state, f"{label}: {session.screened_out_by}" if session.screened_out_by else label

    @display(description="Pay")
    def payment_log(self, session: StudySession) -> SafeString | str:
        payments = session.payments.select_related("decided_by")
        lines = format_html_join("", "<li>{}</li>", ((_told(payment),) for payment in payments))
        return format_html("<ul>{}</ul>", lines) if lines else "nothing decided"

    @display(description="Problems reported")
    def problems(self, session: StudySession) -> SafeString | str:
        rows = [
            (entry.received_at.strftime("%Y-%m-%d %H:%M UTC"), entry.payload.get("text", ""))
            for entry in session.log.problems()
        ]
        return format_html_join("", "<p>{}: {}</p>", rows) if rows else "none"

    @display(description="Answered", ordering="n_answered")
    def answered(self, session: Any) -> str:
        return f"{session.n_answered} of {session.n_presentations}"


def _told(payment: Payment) -> str:
    """One decision with its reason, who made it and when, and what the recruiter said."""
    parts = [
        f"{payment} by {payment.decided_by or 'a command'}, {payment.decided_at:%Y-%m-%d %H:%M} UTC",
        payment.reason,
        payment.get_told_display().lower(),
        payment.told_reason,
    ]
    return " · ".join(part for part in parts if part)
