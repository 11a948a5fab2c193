"""Numbers out."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from survey_site.access.models import User
from survey_site.analysis.export_models import Export, ExportState
from survey_site.analysis.flag_models import SessionFlags
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
    "Export",
    "ExportState",
    "Observation",
    "ObservationState",
    "ObservedCondition",
    "ObserverJudgement",
    "ResultFigure",
    "SessionFlags",
    "StudyResults",
]

DEFAULT_INTERVAL = "twoway"


class ExclusionQuerySet(models.QuerySet["Exclusion"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(session__study__in=Study.objects.visible_to(user))

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


class StudyResults(models.Model):
    """What the results page of one study and mode shows, as last computed; pages only read it.

    `mark` names the state of the sessions that it was computed from: another mark means newer answers.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="results")
    mode = models.CharField(max_length=10, choices=Mode)
    mark = models.CharField(max_length=80)
    read_at = models.DateTimeField(null=True, help_text="When reading the answers began.")
    seconds = models.FloatField(default=0, help_text="What computing took.")
    report = models.JSONField(default=dict, help_text="Without the lists by participant and by item.")
    rests_until = models.DateTimeField(help_text="It is not computed again before.")
    examples = models.JSONField(default=dict, help_text="Trials whose targets were chosen most and least.")
    failure = models.CharField(
        max_length=500, blank=True, help_text="Why the last attempt failed, if it did."
    )

    class Meta:
        verbose_name_plural = "study results"
        constraints = [
            models.UniqueConstraint(fields=["study", "mode"], name="one_results_per_study_and_mode"),
        ]

    def __str__(self) -> str:
        return f"{self.study} ({self.mode})"


class ResultFigure(models.Model):
    """A figure of the results as drawn when they were computed."""

    results = models.ForeignKey(StudyResults, on_delete=models.CASCADE, related_name="figures")
    name = models.SlugField(max_length=60)
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    caption = models.TextField()
    description = models.TextField(help_text="The figure in words.")
    svg = models.TextField()
    csv = models.TextField(help_text="The data in the figure.")

    class Meta:
        ordering = ["results", "position"]
        constraints = [
            models.UniqueConstraint(fields=["results", "name"], name="one_figure_per_results_and_name"),
        ]

    def __str__(self) -> str:
        return self.title
