"""Exports that are written in the background, and where their files are."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from survey_site.access.roles import ExportLevel
from survey_site.studies.models import Study

#: A worker that was not heard of for so long is gone; another may write the file anew.
EXPORT_LEASE = timedelta(seconds=60)
MOST_EXPORT_ATTEMPTS = 3


class ExportState(models.TextChoices):
    WAITING = "waiting", "Waiting for a worker"
    RUNNING = "running", "Being written"
    DONE = "done", "Ready"
    FAILED = "failed", "Failed"
    EXPIRED = "expired", "Expired"


def export_path(export: Export, filename: str) -> str:
    """One folder per attempt, so that no file is ever written over."""
    return f"exports/{export.pk}/{export.attempts}/{filename}"


class ExportQuerySet(models.QuerySet["Export"]):
    def claimable(self) -> Self:
        """Nobody writes it, by the database's clock, and it has attempts left."""
        lapsed = Q(state=ExportState.RUNNING, lease_until__lt=Now())
        return self.filter(Q(state=ExportState.WAITING) | lapsed, attempts__lt=MOST_EXPORT_ATTEMPTS)

    def being_written(self) -> Self:
        return self.filter(state=ExportState.RUNNING, lease_until__gte=Now())

    def exhausted(self) -> Self:
        """The last attempt's worker is gone."""
        return self.filter(
            state=ExportState.RUNNING, lease_until__lt=Now(), attempts__gte=MOST_EXPORT_ATTEMPTS
        )

    def overdue(self) -> Self:
        """Whose file is no longer kept."""
        return self.filter(state=ExportState.DONE, expires_at__lt=Now())

    def held(self, export: Export) -> Self:
        """The row, if the attempt that `export` is of still holds it."""
        return self.filter(pk=export.pk, state=ExportState.RUNNING, attempts=export.attempts)

    def within(self, level: ExportLevel) -> Self:
        return self.filter(level__lte=level)


class Export(models.Model):
    """One file that somebody asked for: of which rows, how far it is, and until when it is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exports")
    kind = models.CharField("format", max_length=30)
    level = models.PositiveSmallIntegerField(choices=[(level.value, level.label) for level in ExportLevel])
    filters = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=ExportState, default=ExportState.WAITING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it failed.")
    done = models.PositiveIntegerField(default=0, help_text="Sessions or files that are written.")
    total = models.PositiveIntegerField(default=0)
    file = models.FileField(upload_to=export_path, blank=True, max_length=300)
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = ExportQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=ExportState.values), name="export_state_is_known"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=2), name="an_export_has_a_level"),
            models.CheckConstraint(
                condition=~Q(state=ExportState.FAILED) | ~Q(reason=""), name="a_failed_export_has_a_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state=ExportState.DONE) | (~Q(file="") & Q(expires_at__isnull=False)),
                name="a_finished_export_has_its_file",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.study}"

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 0

    @property
    def is_under_way(self) -> bool:
        return self.state in (ExportState.WAITING, ExportState.RUNNING)
