"""Pilots by bots that a researcher asked for on a page."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

#: Beyond it a run that says nothing was lost with its worker.
SILENT = timedelta(seconds=60)
MOST_BOTS = 500


class PilotState(models.TextChoices):
    WAITING = "waiting", "Waiting for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class PilotRunQuerySet(models.QuerySet["PilotRun"]):
    def claimable(self) -> Self:
        """Waiting, or under way at a worker that has not been heard of."""
        silent = Q(state=PilotState.RUNNING, heard_at__lt=Now() - SILENT)
        return self.filter(Q(state=PilotState.WAITING) | silent)


class PilotRun(models.Model):
    """So many bots that take a study as pilots, over the HTTP API."""

    study = models.ForeignKey("studies.Study", on_delete=models.CASCADE, related_name="pilot_runs")
    n_bots = models.PositiveIntegerField(
        "bots", default=30, validators=[MinValueValidator(1), MaxValueValidator(MOST_BOTS)]
    )
    p_target = models.FloatField(
        "chance to choose the answer", default=0.8, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    state = models.CharField(max_length=8, choices=PilotState, default=PilotState.WAITING, editable=False)
    reason = models.TextField(blank=True, editable=False)
    n_finished = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(
        default=0, editable=False, help_text="The last one alone may write."
    )
    heard_at = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    objects = PilotRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=PilotState.values), name="pilot_state_is_known"),
            models.CheckConstraint(condition=Q(p_target__range=(0, 1)), name="pilot_chance_is_a_probability"),
            models.CheckConstraint(condition=Q(n_finished__lte=F("n_bots")), name="no_bot_too_many"),
        ]

    def __str__(self) -> str:
        return f"{self.n_bots} bots for {self.study}"
