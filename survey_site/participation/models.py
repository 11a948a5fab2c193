"""One person, one session, their responses."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import (
    Case,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    IntegerField,
    OuterRef,
    Q,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Now

from survey_site.access.models import User
from survey_site.participation.payment_models import Payment, PaymentKind, PaymentState, Told
from survey_site.participation.pilot_models import PilotRun, PilotState
from survey_site.studies.models import Study, StudyVersion, Trial, TrialKind, TrialOption, TrialReference

__all__ = [
    "HOLDS_SLOT",
    "PREVIEW",
    "LogEntry",
    "LogKind",
    "Mode",
    "Participant",
    "Payment",
    "PaymentKind",
    "PaymentState",
    "PilotRun",
    "PilotState",
    "Presentation",
    "QuestionnaireAnswer",
    "RecruiterId",
    "Response",
    "ScreenOut",
    "SessionState",
    "SingleUseLink",
    "StudySession",
    "Submission",
    "Told",
    "WebhookEvent",
]


class Participant(models.Model):
    """A pseudonym; nothing else is known here."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.id)[:8]


class RecruiterId(models.Model):
    """Who a recruiter says this is, as a keyed hash: enough to recognise, not enough to name."""

    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="recruiter_ids")
    recruiter = models.CharField(max_length=20)
    external_id_hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recruiter", "external_id_hash"], name="one_row_per_recruiter_id")
        ]

    def __str__(self) -> str:
        return f"{self.recruiter} {self.external_id_hash[:8]}"


class Mode(models.TextChoices):
    REAL = "real", "Real"
    PILOT = "pilot", "Pilot"


# A researcher looking at a study: a session apart, which no count, score or export reads.
PREVIEW = "preview"


class SessionState(models.TextChoices):
    CREATED = "created", "Created"
    CONSENTED = "consented", "Consented"
    SCREENED_OUT = "screened_out", "Screened out"
    REFUSED = "refused", "Refused"
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    DROPPED = "dropped", "Dropped"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ScreenOut(models.TextChoices):
    """What a session was screened out by."""

    PRACTICE = "practice", "Practice"
    DEVICE = "device", "Device"


# What counts for allocation: a slot is taken by those who finished or may still finish.
HOLDS_SLOT = [SessionState.CONSENTED, SessionState.RUNNING, SessionState.FINISHED]


class StudySessionQuerySet(models.QuerySet["StudySession"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(study__in=Study.objects.visible_to(user))

    def holding_slots(self) -> Self:
        return self.filter(state__in=HOLDS_SLOT)

    def finished(self) -> Self:
        return self.filter(state=SessionState.FINISHED)

    def stale(self) -> Self:
        """Under way, but away for longer than the study waits."""
        seen = Coalesce("last_seen_at", "consented_at")
        minutes = Cast(KeyTextTransform("resume_minutes", "version__settings"), IntegerField())
        return (
            self.filter(state__in=[SessionState.CONSENTED, SessionState.RUNNING])
            .annotate(
                away_since=seen, patience=ExpressionWrapper(minutes * timedelta(minutes=1), DurationField())
            )
            .filter(away_since__lt=Now() - F("patience"))
        )

    def of_mode(self, mode: str) -> Self:
        return self.filter(mode=mode)


class StudySession(models.Model):
    """One run of one participant through one study version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    participant = models.ForeignKey(Participant, on_delete=models.CASCADE, related_name="sessions")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="sessions")
    version = models.ForeignKey(StudyVersion, on_delete=models.PROTECT, related_name="sessions")
    mode = models.CharField(max_length=10, choices=[*Mode.choices, (PREVIEW, "Preview")], default=Mode.REAL)
    language = models.CharField(max_length=10, default="en")
    recruiter = models.CharField(max_length=20, default="link")
    state = models.CharField(max_length=20, choices=SessionState, default=SessionState.CREATED)
    screened_out_by = models.CharField(max_length=10, choices=ScreenOut, blank=True)
    token_hash = models.CharField(max_length=64, unique=True)
    rng_seed = models.BigIntegerField(help_text="Order and sides of this session follow from it.")
    slot = models.PositiveIntegerField(null=True)
    consent_version = models.CharField(max_length=12, blank=True)
    client_lease = models.CharField(max_length=64, blank=True, help_text="Which tab holds the session.")
    created_at = models.DateTimeField(auto_now_add=True)
    consented_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    is_anonymised = models.BooleanField(
        default=False, help_text="Its participant withdrew; nothing leads from the answers to the person."
    )
    # How far the log reaches, so that storing an answer reads none of it.
    next_seq = models.PositiveIntegerField(
        default=1, help_text="Below it, nothing is missing from the log.", editable=False
    )
    last_seq = models.PositiveIntegerField(
        default=0, help_text="Above it, nothing is stored.", editable=False
    )

    objects = StudySessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["participant", "study", "mode"], name="one_session_per_participant_study_mode"
            ),
            models.CheckConstraint(condition=Q(state__in=SessionState.values), name="session_state_is_known"),
            models.CheckConstraint(
                condition=~Q(state=SessionState.SCREENED_OUT) | ~Q(screened_out_by=""),
                name="screened_out_by_something",
            ),
            models.CheckConstraint(
                condition=Q(mode__in=[*Mode.values, PREVIEW]), name="session_mode_is_known"
            ),
        ]
        # Serves the allocation of slots.
        indexes = [models.Index(fields=["version", "mode", "state", "slot"], name="sessions_by_slot")]

    def __str__(self) -> str:
        return str(self.id)[:8]

    @property
    def is_refused_device(self) -> bool:
        """The study takes no such device; nothing was consented to, and another device may be taken."""
        return self.state == SessionState.SCREENED_OUT and self.screened_out_by == ScreenOut.DEVICE

    @property
    def is_authenticated(self) -> bool:
        """What DRF's permission asks of whoever holds a valid token."""
        return True


class SingleUseLink(models.Model):
    """An address for one person: the token is that person's id, so it makes one session and resumes it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="single_use_links")
    token = models.CharField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["study", "pk"]

    def __str__(self) -> str:
        return f"link {self.pk} of {self.study}"


class Submission(models.Model):
    """What a recruiter calls this session: Prolific's submission, MTurk's assignment.

    Ids that name a person to the recruiter are here and nowhere else; only full exports read them.
    """

    session = models.OneToOneField(StudySession, on_delete=models.CASCADE, related_name="submission")
    recruiter = models.CharField(max_length=20)
    submission_id = models.CharField(max_length=100, help_text="SESSION_ID or assignmentId.")
    recruiter_study_id = models.CharField(max_length=100, blank=True, help_text="STUDY_ID or hitId.")
    submit_to = models.CharField(max_length=100, blank=True, help_text="MTurk's host for the answer.")
    status = models.CharField(max_length=30, blank=True, help_text="As the recruiter last said.")
    status_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["recruiter", "submission_id"], name="one_session_per_submission")
        ]

    def __str__(self) -> str:
        return f"{self.recruiter} submission of {self.session}"


class WebhookEvent(models.Model):
    """An event that was taken: neither it nor its signature is taken again. It names nobody."""

    event_id = models.CharField(max_length=100, unique=True)
    signature = models.CharField(max_length=64, unique=True)
    event_type = models.CharField(max_length=60)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-received_at"]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class PresentationQuerySet(models.QuerySet["Presentation"]):
    def with_answered(self) -> Self:
        return self.annotate(answered=Exists(Response.objects.filter(presentation=OuterRef("pk"))))

    def unanswered(self) -> Self:
        return self.with_answered().filter(answered=False)


class Presentation(models.Model):
    """One showing of one trial to one person; written at assignment, so that allocation counts it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        StudySession, on_delete=models.CASCADE, related_name="presentations", db_index=False
    )  # the constraint's index begins with it; so below
    trial = models.ForeignKey(Trial, on_delete=models.PROTECT, related_name="presentations")
    position = models.PositiveIntegerField()
    block = models.PositiveIntegerField(default=0)
    option_order = models.JSONField(help_text="Option indices in the order shown.")
    repeat_of = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="repeats")
    attempt = models.PositiveIntegerField(default=1)

    objects = PresentationQuerySet.as_manager()

    class Meta:
        ordering = ["session", "position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position"], name="one_presentation_per_position")
        ]

    def __str__(self) -> str:
        return f"{self.session} #{self.position}"


class LogKind(models.TextChoices):
    RESPONSE = "response", "Response"
    EVENT = "event", "Event"
    PAGE = "page", "Page"
    DEVICE = "device", "Device"
    QUESTIONNAIRE = "questionnaire", "Questionnaire"


class LogEntryQuerySet(models.QuerySet["LogEntry"]):
    def problems(self) -> Self:
        """What participants reported, in their words: `text` of the payload."""
        return self.filter(kind=LogKind.EVENT, payload__event="problem_reported")


class LogEntry(models.Model):
    """The raw log, append-only: what the browser said, in its own order."""

    session = models.ForeignKey(StudySession, on_delete=models.CASCADE, related_name="log", db_index=False)
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=13, choices=LogKind)
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    objects = LogEntryQuerySet.as_manager()

    class Meta:
        ordering = ["session", "seq"]
        verbose_name_plural = "log entries"
        constraints = [models.UniqueConstraint(fields=["session", "seq"], name="one_entry_per_seq")]
        # Serves the answers of the last hour: entries lie in the order of their coming, so little is read.
        indexes = [BrinIndex(fields=["received_at"], name="log_by_time", autosummarize=True)]

    def __str__(self) -> str:
        return f"{self.session} seq {self.seq}"


class ResponseQuerySet(models.QuerySet["Response"]):
    def with_chose_target(self) -> Self:
        """1 if the chosen option answers the reference, 0 if not, NULL if nothing was chosen."""
        return self.annotate(
            chose_target=Case(
                When(option=None, then=Value(None)),
                When(option=F("reference__answer"), then=Value(1)),
                default=Value(0),
                output_field=IntegerField(),
            )
        )

    def scoreable(self) -> Self:
        """Answered main trials."""
        return self.filter(presentation__trial__kind=TrialKind.MAIN, option__isnull=False).with_chose_target()

    def of_study(self, study: Study, mode: str) -> Self:
        return self.filter(presentation__session__study=study, presentation__session__mode=mode)


class Response(models.Model):
    """One answer about one reference of one presentation, with the timing that the browser measured.

    Times are milliseconds; `onset_frame_ms` and `time_elapsed` count from the page's own time origin.
    """

    presentation = models.ForeignKey(
        Presentation, on_delete=models.CASCADE, related_name="responses", db_index=False
    )
    reference = models.ForeignKey(TrialReference, on_delete=models.PROTECT, related_name="+")
    option = models.ForeignKey(TrialOption, null=True, on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey(LogEntry, on_delete=models.CASCADE, related_name="responses")
    rt = models.FloatField(null=True)
    rt_raw_ms = models.FloatField(null=True)
    onset_frame_ms = models.FloatField(null=True)
    time_elapsed = models.FloatField(null=True)
    trial_type = models.CharField(max_length=60, blank=True)
    trial_index = models.PositiveIntegerField(null=True)
    input = models.CharField(max_length=10, blank=True)
    refresh_hz = models.FloatField(null=True)
    frames_dropped = models.PositiveIntegerField(null=True)
    focus_lost = models.PositiveIntegerField(null=True)
    timed_out = models.BooleanField(default=False)
    confidence = models.PositiveIntegerField(null=True)

    objects = ResponseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["presentation", "reference"], name="one_response_per_presentation_reference"
            ),
            models.CheckConstraint(
                condition=Q(timed_out=True) | Q(option__isnull=False), name="no_choice_only_when_timed_out"
            ),
        ]

    def __str__(self) -> str:
        return f"response to {self.presentation}"


class QuestionnaireAnswer(models.Model):
    """One answer of the questionnaire; several choices, and whatever else is not text, as JSON."""

    session = models.ForeignKey(StudySession, on_delete=models.CASCADE, related_name="questionnaire")
    entry = models.ForeignKey(LogEntry, on_delete=models.CASCADE, related_name="questionnaire")
    name = models.CharField(max_length=40)
    value = models.JSONField()

    class Meta:
        ordering = ["session", "pk"]
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="one_answer_per_question")]

    def __str__(self) -> str:
        return f"{self.session} {self.name}"
