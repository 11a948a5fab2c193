"""Numbers out."""

from __future__ import annotations

from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from survey_site.analysis.exclusions import RULES, ExclusionError, Rule, rule_from_dict
from survey_site.analysis.intervals import Interval
from survey_site.analysis.observer_models import (
    Observation,
    ObservationState,
    ObservedCondition,
    ObserverJudgement,
)
from survey_site.participation.models import Mode, StudySession
from survey_site.studies.models import Condition, Study, StudyVersion

__all__ = [
    "AlignmentScore",
    "Exclusion",
    "ExclusionRule",
    "Observation",
    "ObservationState",
    "ObservedCondition",
    "ObserverJudgement",
]

DEFAULT_INTERVAL = "twoway"


class ExclusionRule(models.Model):
    """A rule of `exclusions` that a study's sessions are held to."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exclusion_rules")
    name = models.CharField(max_length=30, choices=[(name, name) for name in RULES])
    position = models.PositiveIntegerField(default=0, help_text="Order: the first rule to speak counts.")
    settings = models.JSONField(default=dict, blank=True, help_text="Empty: the rule's own defaults.")

    class Meta:
        ordering = ["study", "position", "name"]
        constraints = [models.UniqueConstraint(fields=["study", "name"], name="one_rule_per_study_and_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            self.as_rule()
        except ExclusionError as error:
            raise ValidationError({"settings": str(error)}) from None

    def as_rule(self) -> Rule:
        """Raises ExclusionError for settings that the rule does not have."""
        return rule_from_dict({**self.settings, "rule": self.name})


class ExclusionQuerySet(models.QuerySet["Exclusion"]):
    def of_study(self, study: Study, mode: str, version: StudyVersion | None = None) -> Self:
        """No version means all of them together."""
        found = self.filter(session__study=study, session__mode=mode)
        return found if version is None else found.filter(session__version=version)


class Exclusion(models.Model):
    """One rule's verdict against one session. Its answers stay; figures are shown with and without them."""

    session = models.ForeignKey(StudySession, on_delete=models.CASCADE, related_name="exclusions")
    rule = models.CharField(max_length=30)
    version = models.PositiveIntegerField(help_text="Of the rule.")
    settings = models.JSONField(default=dict, help_text="The rule's settings when it decided.")
    reason = models.CharField(max_length=300)
    decided_at = models.DateTimeField(auto_now_add=True)

    objects = ExclusionQuerySet.as_manager()

    class Meta:
        ordering = ["session", "rule"]
        constraints = [
            models.UniqueConstraint(fields=["session", "rule"], name="one_exclusion_per_session_and_rule"),
            models.CheckConstraint(condition=~Q(reason=""), name="an_exclusion_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.session}: {self.rule}"


class AlignmentScoreQuerySet(models.QuerySet["AlignmentScore"]):
    def of_study(self, study: Study, mode: str, version: StudyVersion | None = None) -> Self:
        """As last computed; no version means all of them together."""
        return self.filter(condition__study=study, mode=mode, version=version)

    def with_pairs(self) -> Self:
        return self.select_related("condition__layer__network", "condition__recipe", "version")


class AlignmentScore(models.Model):
    """A condition's human-alignment score as last computed, with all that made it.

    A condition's slug is stable over versions: without `version` the score is over all versions' responses.
    """

    condition = models.ForeignKey(Condition, on_delete=models.CASCADE, related_name="scores")
    version = models.ForeignKey(StudyVersion, null=True, on_delete=models.CASCADE, related_name="scores")
    mode = models.CharField(max_length=10, choices=Mode)
    estimate = models.FloatField(help_text="Share of responses that chose the target, 0 to 1.")
    n = models.PositiveIntegerField("responses")
    hits = models.PositiveIntegerField()
    n_participants = models.PositiveIntegerField("participants")
    n_items = models.PositiveIntegerField("items")
    participant_mean = models.FloatField(help_text="Mean of participants' means.")
    item_mean = models.FloatField(help_text="Mean of items' means.")
    chance = models.FloatField(help_text="Score of a guesser.")
    d_prime = models.FloatField(null=True, help_text="Two options only.")
    intervals = models.JSONField(help_text="By name: low, high and a note on what it fell back to.")
    settings = models.JSONField(help_text="Confidence, bootstrap replicates, RNG seed.")
    versions = models.JSONField(help_text="Of the libraries and of this code.")
    exclusions = models.JSONField(
        default=dict, help_text="Rules, sessions left out, and the figures without leaving anybody out."
    )
    computed_at = models.DateTimeField(auto_now=True)

    objects = AlignmentScoreQuerySet.as_manager()

    class Meta:
        ordering = ["condition__slug"]
        constraints = [
            models.UniqueConstraint(
                fields=["condition", "version", "mode"],
                name="one_score_per_condition_version_mode",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=Q(estimate__gte=0, estimate__lte=1), name="a_score_is_a_share"),
            models.CheckConstraint(
                condition=Q(n__gte=1, hits__lte=models.F("n")), name="a_score_has_responses"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.condition}: {self.estimate:.3f}"

    def interval(self, name: str = DEFAULT_INTERVAL) -> Interval:
        """By name: twoway (the default), bootstrap, crossed, wilson, clopper_pearson."""
        return Interval(**self.intervals[name])
