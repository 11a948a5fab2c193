"""What simulated observers make of a study's trials, and who was asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from survey_site.analysis.observer_names import label
from survey_site.stimuli.models import Layer, Queue
from survey_site.studies.models import Condition, Study, Trial, TrialOption, TrialReference

#: A worker that was not heard of for so long is gone; others may take its work up.
LEASE = timedelta(seconds=120)
MOST_ATTEMPTS = 3


class ObservationState(models.TextChoices):
    WAITING = "waiting", "Waiting for a worker"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    UNAVAILABLE = "unavailable", "Unavailable"


class ObservationQuerySet(models.QuerySet["Observation"]):
    def claimable(self) -> Self:
        """Nobody works on it, by the database's clock, and it has attempts left."""
        lapsed = Q(state=ObservationState.RUNNING, lease_until__lt=Now())
        return self.filter(Q(state=ObservationState.WAITING) | lapsed, attempts__lt=MOST_ATTEMPTS)

    def exhausted(self) -> Self:
        """The last attempt's worker is gone."""
        return self.filter(state=ObservationState.RUNNING, lease_until__lt=Now(), attempts__gte=MOST_ATTEMPTS)


class Observation(models.Model):
    """One simulated observer asked to judge one study: how far that is, and with what it judged last."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="observations")
    observer = models.CharField(max_length=300, help_text="lpips-alex, ssim ..., or network:SLUG:LAYER.")
    layer = models.ForeignKey(
        Layer,
        null=True,
        on_delete=models.CASCADE,
        related_name="observations",
        help_text="Of a network as observer.",
    )
    state = models.CharField(max_length=12, choices=ObservationState, default=ObservationState.WAITING)
    reason = models.TextField(blank=True, help_text="Why it is unavailable.")
    queue = models.CharField(max_length=20, choices=Queue, default=Queue.CPU)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    version = models.CharField(max_length=60, blank=True, help_text="Of the observer that judged last.")
    weights_sha256 = models.CharField(max_length=64, blank=True)
    provenance = models.JSONField(default=dict)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = ObservationQuerySet.as_manager()

    class Meta:
        ordering = ["study", "observer"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "observer"], name="one_observation_per_study_and_observer"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ObservationState.values), name="observation_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=ObservationState.UNAVAILABLE) | ~Q(reason=""),
                name="what_is_unavailable_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{label(self.observer)} on {self.study}"


class ObserverJudgement(models.Model):
    """What one observer, of one version and weights, chose for one reference of one trial."""

    observer = models.CharField(max_length=300)
    version = models.CharField(max_length=60)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="judgements")
    reference = models.ForeignKey(TrialReference, on_delete=models.CASCADE, related_name="judgements")
    distances = models.JSONField(help_text="By option index; null where the observer has no number.")
    choice = models.ForeignKey(
        TrialOption, null=True, on_delete=models.CASCADE, related_name="+", help_text="Empty for a tie."
    )
    n_nearest = models.PositiveIntegerField(help_text="1: a choice; more: a tie; 0: nothing can be said.")
    credit = models.FloatField(
        null=True, help_text="1 right, 0 wrong, 1/m for a tie of m options with the right one."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["trial", "reference"]
        constraints = [
            models.UniqueConstraint(
                fields=["reference", "observer", "version", "weights_sha256"],
                name="one_judgement_per_reference_and_observer",
            ),
            models.CheckConstraint(
                condition=Q(n_nearest=1, choice__isnull=False) | (~Q(n_nearest=1) & Q(choice=None)),
                name="a_choice_is_no_tie",
            ),
            models.CheckConstraint(
                condition=Q(n_nearest=0, credit=None) | Q(n_nearest__gte=1, credit__gte=0, credit__lte=1),
                name="a_judgement_has_credit_from_0_to_1",
            ),
        ]

    def __str__(self) -> str:
        return f"{label(self.observer)}: {self.trial}"


class ObservedCondition(models.Model):
    """What one observer makes of a condition's IRIs, whatever the trials put beside them."""

    observation = models.ForeignKey(Observation, on_delete=models.CASCADE, related_name="conditions")
    condition = models.ForeignKey(Condition, on_delete=models.CASCADE, related_name="+")
    version = models.CharField(max_length=60)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    n_iris = models.PositiveIntegerField()
    n_nearer_target = models.PositiveIntegerField(help_text="IRIs nearer to their target than to the start.")
    n_tied = models.PositiveIntegerField()
    distances = models.JSONField(help_text="By IRI: [id, to its target, to its start image].")
    transfer = models.JSONField(
        null=True,
        help_text="Of a network's layer: n, stir, stir_start, cosine, cosines (Nanda et al. 2022).",
    )

    class Meta:
        ordering = ["observation", "condition"]
        constraints = [
            models.UniqueConstraint(
                fields=["observation", "condition"], name="one_row_per_observation_and_condition"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.observation}: {self.condition}"
