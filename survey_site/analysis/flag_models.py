"""What the live page says of each session, kept up with its answers by housekeeping."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from survey_site.participation.models import PREVIEW, SessionState, StudySession

#: Part of every row: another number computes all anew. Raised when a default or what a rule means changes.
FORMAT = 1
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class SessionFlagsQuerySet(models.QuerySet["SessionFlags"]):
    def flagged(self, rule: str | None = None) -> Self:
        """By that rule, or by any."""
        return self.exclude(n_flags=0) if rule is None else self.filter(flags__contains=[{"rule": rule}])


class SessionFlags(models.Model):
    """What a session has answered, and which rules would speak against it: shown, and leaving nobody out.

    `seen_at` and `state` are the session's when its answers were read: others mean that there are newer ones.
    """

    session = models.OneToOneField(
        StudySession, primary_key=True, on_delete=models.CASCADE, related_name="flags"
    )
    seen_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=20)
    format = models.PositiveSmallIntegerField(default=FORMAT)
    answered = models.PositiveIntegerField(help_text="Main trials.")
    expected = models.PositiveIntegerField(help_text="Main trials planned.")
    catch_right = models.PositiveIntegerField()
    catch_answered = models.PositiveIntegerField()
    catch_share = models.FloatField(null=True)
    median_rt = models.FloatField(null=True, help_text="Milliseconds, of main trials.")
    focus_lost = models.PositiveIntegerField()
    flags = models.JSONField(default=list, help_text="Rule and reason of each that speaks against it.")
    n_flags = models.PositiveSmallIntegerField(default=0)

    objects = SessionFlagsQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "session flags"

    def __str__(self) -> str:
        return f"flags of {self.session_id}"


def sessions_with_stale_flags() -> models.QuerySet[StudySession]:
    """Those that consented and have moved since their flags were computed, longest ago first."""
    seen, noted = Coalesce("last_seen_at", Value(NEVER)), Coalesce("flags__seen_at", Value(NEVER))
    is_current = Q(now_seen=F("was_seen"), state=F("flags__state"), flags__format=FORMAT)
    return (
        StudySession.objects.exclude(mode=PREVIEW)
        .exclude(state__in=[SessionState.CREATED, SessionState.REFUSED])
        .annotate(now_seen=seen, was_seen=noted)
        .filter(Q(flags=None) | ~is_current)
        .order_by("now_seen", "pk")
    )
