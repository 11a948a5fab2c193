"""The experiment. A study is edited while it is a draft; what participants see is a frozen version of it."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, NoReturn, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, URLValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from survey_site.access.dependants import NamesDependants, NamesDependantsQuerySet
from survey_site.access.models import SharedQuerySet
from survey_site.stimuli.models import IRI, ImageSet, IRIQuerySet, IRIStatus, Layer, Recipe, StoredImage
from survey_site.studies.exclusion_rules import RULES, ExclusionError, Rule, rule_from_dict
from survey_site.studies.formats import fault_of_options
from survey_site.studies.money import CURRENCIES, DEFAULT_CURRENCY, MoneyError, minor_units
from survey_site.studies.questionnaire import Field, fault_of, parse_choices


class StudyStatus(models.TextChoices):
    DRAFT = "draft", "Draft"
    PILOT = "pilot", "Pilot: no real participants yet"
    OPEN = "open", "Open"
    PAUSED = "paused", "Paused"
    CLOSED = "closed", "Closed"


class MobilePolicy(models.TextChoices):
    ALLOW = "allow", "Allow"
    WARN = "warn", "Warn"
    BLOCK = "block", "Block"


class ImageScaling(models.TextChoices):
    SMOOTH = "smooth", "Smooth: as large as there is room"
    WHOLE = "whole", "Whole: every image pixel covers a whole number of device pixels, where that fits"


class ConfidenceLevels(models.IntegerChoices):
    THREE = 3, "3 levels"
    SIX = 6, "6 levels"


class Recruiter(models.TextChoices):
    """Where participants come from, and so what their links must carry."""

    OPEN = "open", "Open link: whoever has it"
    SINGLE_USE = "single_use", "Single-use links"
    PROLIFIC = "prolific", "Prolific"
    MTURK = "mturk", "Mechanical Turk (ExternalQuestion)"


class Withdrawal(models.TextChoices):
    """What becomes of the answers of somebody who withdraws."""

    DELETE = "delete", "Delete the answers"
    ANONYMISE = "anonymise", "Keep the choices, cut off from the person"
    NONE = "none", "Not offered"


class TrialFormat(models.TextChoices):
    TWO_AFC = "two_afc", "Two-alternative forced choice"
    MATCHING = "matching", "Matching"
    CLASSIFICATION = "classification", "Classification"
    ODD_ONE_OUT = "odd_one_out", "Odd one out"


class TrialKind(models.TextChoices):
    MAIN = "main", "Main"
    PRACTICE = "practice", "Practice"
    CATCH = "catch", "Catch"


#: Whoever has one of these can claim to have taken part: they are for editors and owners.
CODES = ("completion_code", "refusal_code", "screened_out_code", "failed_check_code", "completion_url")


class Study(NamesDependants):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=10, choices=StudyStatus, default=StudyStatus.DRAFT, editable=False)
    minutes = models.PositiveIntegerField(default=5, help_text="Expected duration, told to participants.")
    contact = models.CharField(max_length=200, blank=True, help_text="Whom participants can ask.")
    # The plan
    trials_per_participant = models.PositiveIntegerField(
        default=0, help_text="Main trials that one participant sees; 0: all of them."
    )
    n_catch = models.PositiveIntegerField(
        "catch trials", default=2, help_text="Trials with a known answer: the reference is the target itself."
    )
    n_practice = models.PositiveIntegerField(
        "practice trials", default=0, help_text="Trials with feedback before the others; they are not scored."
    )
    practice_pass = models.PositiveIntegerField(
        "right practice answers", default=0, help_text="Needed in one round to go on; 0: none."
    )
    practice_rounds = models.PositiveIntegerField(
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(10)],
        help_text="Rounds of practice before somebody who does not pass is screened out.",
    )
    n_repeats = models.PositiveIntegerField(
        "repeats", default=0, help_text="Main trials that come a second time, with sides swapped."
    )
    repeat_distance = models.PositiveIntegerField(
        default=5,
        validators=[MinValueValidator(1)],
        help_text="Least distance between both showings, in trials.",
    )
    break_every = models.PositiveIntegerField(default=40, help_text="Trials between breaks; 0: no breaks.")
    time_limit_ms = models.PositiveIntegerField(
        "time limit (ms)", null=True, blank=True, help_text="Empty: no limit."
    )
    fixation_ms = models.PositiveIntegerField(
        "fixation (ms)", default=300, help_text="A cross before each trial; 0: none."
    )
    image_frames = models.PositiveIntegerField(
        null=True, blank=True, help_text="Display frames for which images are shown; empty: until the answer."
    )
    reference_ms = models.PositiveIntegerField(
        "reference first (ms)",
        null=True,
        blank=True,
        help_text="The reference is shown first, alone, for so long; empty: together with the options.",
    )
    mask_ms = models.PositiveIntegerField(
        "mask (ms)", default=200, help_text="Noise after a reference that was shown first; 0: none."
    )
    confidence_levels = models.PositiveIntegerField(
        "confidence", choices=ConfidenceLevels, null=True, blank=True, help_text="Asked after every choice."
    )
    rng_seed = models.BigIntegerField("RNG seed", default=0, help_text="Order and sides follow from it.")
    quota = models.PositiveIntegerField(
        null=True, blank=True, help_text="So many participants, then nobody more is taken; empty: no limit."
    )
    resume_minutes = models.PositiveIntegerField(
        default=120,
        validators=[MinValueValidator(1)],
        help_text="Whoever is away for longer cannot go on, and the place in the design is given to another.",
    )
    # The page
    mobile_policy = models.CharField(
        "phones",
        max_length=10,
        choices=MobilePolicy,
        default=MobilePolicy.ALLOW,
        help_text="Warn: better come with a computer. Block: only with one; who is refused is counted.",
    )
    keyboard_shortcuts = models.BooleanField(default=True)
    image_scaling = models.CharField(max_length=10, choices=ImageScaling, default=ImageScaling.SMOOTH)
    # Who comes
    recruiter = models.CharField(
        "participants come by", max_length=12, choices=Recruiter, default=Recruiter.OPEN
    )
    recruiter_study_id = models.CharField(
        "Prolific's study ID",
        max_length=100,
        blank=True,
        help_text="Only where people come by Prolific: links of another of its studies are refused.",
    )
    group = models.SlugField(
        "study group",
        blank=True,
        help_text="Whoever took part in a study with the same word here cannot take part in this one.",
    )
    withdrawal = models.CharField(
        max_length=10,
        choices=Withdrawal,
        default=Withdrawal.DELETE,
        help_text="By the personal link that participants are shown at the end; say so in the consent.",
    )
    # Money: recorded here, paid elsewhere
    base_pay = models.DecimalField(
        max_digits=8,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
        help_text="What one participant is paid; approving a session records it. 0: nothing.",
    )
    currency = models.CharField(
        max_length=3, choices=[(code, code) for code in CURRENCIES], default=DEFAULT_CURRENCY
    )
    # What participants take back to their recruiter
    completion_code = models.CharField(max_length=40, blank=True, help_text="Empty: made when it opens.")
    refusal_code = models.CharField(max_length=40, blank=True, help_text="For those who do not consent.")
    screened_out_code = models.CharField(
        "screened-out code",
        max_length=40,
        blank=True,
        help_text="For those who do not pass the practice, or whose phone is refused.",
    )
    failed_check_code = models.CharField(
        "failed-check code",
        max_length=40,
        blank=True,
        help_text="Instead of the completion code for those with too few catch trials right; empty: none.",
    )
    catch_pass = models.PositiveIntegerField(
        "catch trials needed", default=0, help_text="Right ones, for the completion code."
    )
    completion_url = models.URLField(
        "completion address",
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Where the page leads at the end, if anywhere. Prolific's address is made from the codes.",
    )
    preregistration_url = models.URLField(
        "preregistration",
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Address of the registered plan (OSF, AsPredicted); frozen with each version.",
    )
    revision = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the changes; the database does, whoever writes."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    #: What may change while people take part: it is about who comes, and no version freezes it. A trigger
    #: refuses everything else.
    EDITABLE_WHILE_OPEN = ("name", "recruiter", "recruiter_study_id", "group")
    #: Not shown in histories.
    SECRET = CODES

    objects = SharedQuerySet.as_manager()

    history = HistoricalRecords(excluded_fields=["revision"])

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=StudyStatus.values), name="study_status_is_known"),
            models.CheckConstraint(condition=Q(repeat_distance__gte=1), name="a_repeat_is_another_trial"),
            models.CheckConstraint(condition=Q(recruiter__in=Recruiter.values), name="recruiter_is_known"),
            models.CheckConstraint(condition=Q(withdrawal__in=Withdrawal.values), name="withdrawal_is_known"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.recruiter != Recruiter.PROLIFIC:
            self.recruiter_study_id = ""  # its field is not even shown
        if self.base_pay is None or self.currency not in CURRENCIES:
            return  # said beside those fields
        try:
            minor_units(self.base_pay, self.currency)
        except MoneyError as error:
            raise ValidationError({"base_pay": str(error)}) from None

    @property
    def base_pay_minor(self) -> int:
        """In the currency's smallest unit."""
        return minor_units(Decimal(str(self.base_pay)), self.currency)

    @property
    def current_version(self) -> StudyVersion | None:
        return self.versions.order_by("-number").first()

    @property
    def is_open(self) -> bool:
        """People take part, so the design is locked."""
        return self.status == StudyStatus.OPEN

    def is_accepting(self, *, pilots: bool = False) -> bool:
        """Whether somebody can begin now; pilots can before others do."""
        return self.is_open or (pilots and self.status == StudyStatus.PILOT)


class StudyText(models.Model):
    """A study's texts in one language, as the researcher's Markdown."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(max_length=10, default="en")
    title = models.CharField(max_length=120)
    welcome = models.TextField()
    consent = models.TextField()
    instructions = models.TextField()
    debrief = models.TextField()
    refused = models.TextField(help_text="Shown to those who do not consent.")
    # Markdown, too; where empty, the page has words of its own.
    practice = models.TextField("before the practice", blank=True)
    practice_failed = models.TextField(
        "practice not passed", blank=True, help_text="Shown to those who pass in no round of practice."
    )
    break_text = models.TextField("breaks", blank=True)
    full = models.TextField("no place left", blank=True, help_text="Shown while all places are taken.")
    phone_refused = models.TextField("phone refused", blank=True)
    paused = models.TextField("paused", blank=True)
    closed = models.TextField("closed", blank=True)

    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "language"], name="one_text_per_language")]

    def __str__(self) -> str:
        return f"{self.study} ({self.language})"


class QuestionKind(models.TextChoices):
    TEXT = "text", "A line of text"
    LONG_TEXT = "long_text", "Text"
    NUMBER = "number", "A number"
    SCALE = "scale", "A scale from the smallest to the largest number"
    CHOICE = "choice", "One of the choices"
    CHOICES = "choices", "Any of the choices"


class Question(models.Model):
    """One field of the questionnaire after the trials, in one language."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="questions")
    language = models.CharField(max_length=10, default="en")
    position = models.PositiveIntegerField(default=1)
    name = models.SlugField(
        "short name", max_length=40, help_text="Its column in the export, the same in all languages."
    )
    kind = models.CharField(max_length=12, choices=QuestionKind, default=QuestionKind.TEXT)
    label = models.CharField(max_length=300)
    choices = models.TextField(
        blank=True, help_text="One a line, as “value = label”, or a label alone, which then is the value."
    )
    minimum = models.IntegerField(null=True, blank=True)
    maximum = models.IntegerField(null=True, blank=True)
    is_required = models.BooleanField("required", default=False)

    history = HistoricalRecords()

    class Meta:
        ordering = ["language", "position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "language", "name"], name="one_question_per_name_and_language"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.language})"

    def clean(self) -> None:
        if fault := fault_of(self.as_field()):
            raise ValidationError(fault)

    def as_field(self) -> Field:
        return Field(
            name=self.name,
            kind=self.kind,
            label=self.label,
            choices=parse_choices(self.choices),
            minimum=self.minimum,
            maximum=self.maximum,
            is_required=self.is_required,
        )


class LabelIcon(models.Model):
    """The picture that stands for a label in classification."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="icons")
    label = models.CharField(max_length=120)
    image = models.ForeignKey(StoredImage, on_delete=models.PROTECT, related_name="+")

    history = HistoricalRecords()

    class Meta:
        ordering = ["label"]
        constraints = [models.UniqueConstraint(fields=["study", "label"], name="one_icon_per_label")]

    def __str__(self) -> str:
        return self.label


class Shows(models.TextChoices):
    IRI = "iri", "The IRI"
    TARGET = "target", "The target as a control (score 1 by construction)"
    START = "start", "The start image as a control (score 0 by construction)"


class FoilRule(models.TextChoices):
    START = "start", "The start image"
    NATURAL = "natural", "A natural image: another target of the condition"


class ConditionQuerySet(NamesDependantsQuerySet):
    def with_pairs(self) -> Self:
        return self.select_related("layer__network", "recipe", "image_set")


class Condition(NamesDependants):
    """Study x pair x recipe: what a score is computed for."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="conditions")
    slug = models.SlugField(max_length=120)
    shows = models.CharField(max_length=10, choices=Shows, default=Shows.IRI)
    layer = models.ForeignKey(Layer, on_delete=models.PROTECT, related_name="conditions")
    recipe = models.ForeignKey(Recipe, on_delete=models.PROTECT, related_name="conditions")
    image_set = models.ForeignKey(ImageSet, on_delete=models.PROTECT, related_name="conditions")
    iri_seed = models.BigIntegerField(
        "IRI seed", default=0, help_text="RNG seed of the job that made the IRIs."
    )
    include_failed = models.BooleanField("include IRIs that failed their quality check", default=False)
    format = models.CharField(max_length=20, choices=TrialFormat, default=TrialFormat.TWO_AFC)
    foil_rule = models.CharField(max_length=20, choices=FoilRule, default=FoilRule.START)
    n_options = models.PositiveIntegerField(
        "number of options", default=2, validators=[MinValueValidator(2), MaxValueValidator(16)]
    )

    FROZEN = (
        "slug", "shows", "layer", "recipe", "image_set", "iri_seed", "format", "foil_rule", "n_options",
    )  # fmt: skip

    objects = ConditionQuerySet.as_manager()

    history = HistoricalRecords()

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["study", "slug"], name="one_condition_per_slug")]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Once people saw it, a condition means what it meant: only then can its answers be read."""
        if fault := fault_of_options(self.format, self.n_options):
            raise ValidationError({"n_options": fault})
        if self.pk is None or not self.trials.filter(version__number__gt=0).exists():
            return
        before = Condition.objects.get(pk=self.pk)
        changed = [name for name in self.FROZEN if getattr(before, name) != getattr(self, name)]
        if changed:
            message = (
                f"condition {before.slug} is part of an opened study, so its {', '.join(changed)} cannot "
                "change; add another condition"
            )
            raise ValidationError(dict.fromkeys(changed, message))

    @property
    def chance(self) -> float:
        return 1 / self.n_options

    def iris(self) -> IRIQuerySet:
        """All IRIs that this condition is made of, finished or not."""
        return IRI.objects.filter(
            layer=self.layer,
            recipe=self.recipe,
            target__image_set=self.image_set,
            job__rng_seed=self.iri_seed,
        )

    def usable_iris(self) -> IRIQuerySet:
        """The finished ones that may be shown."""
        finished = self.iris().filter(status=IRIStatus.DONE)
        return finished if self.include_failed else finished.filter(passed=True)


class ExclusionRule(models.Model):
    """A rule that the study's sessions are held to, once a version has frozen it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exclusion_rules")
    name = models.CharField(max_length=30, choices=[(name, name) for name in RULES])
    position = models.PositiveIntegerField(default=0, help_text="Order: the first rule to speak counts.")
    settings = models.JSONField(default=dict, blank=True, help_text="Empty: the rule's own defaults.")

    history = HistoricalRecords()

    class Meta:
        ordering = ["study", "position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["study", "name"], name="an_exclusion_rule_once_per_study")
        ]

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


class FrozenError(Exception):
    """Something tried to change a frozen study version."""


class FrozenModel(models.Model):
    """Rows of a study version: inserted once, never changed (a trigger in the database says so too)."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self._refuse()
        super().save(*args, **kwargs)

    def _refuse(self) -> NoReturn:
        raise FrozenError(f"{self._meta.verbose_name} {self.pk} is frozen; open a new version of the study")


class SeenVersionManager(models.Manager["StudyVersion"]):
    """Versions that people see: not what a researcher previews, which has the number 0."""

    def get_queryset(self) -> models.QuerySet[StudyVersion]:
        return super().get_queryset().filter(number__gt=0)


class StudyVersion(NamesDependants, FrozenModel):
    """What participants see, immutable: settings, texts, trials, with a hash over all of it."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    settings = models.JSONField(help_text="Plan, page and codes as they stood.")
    texts = models.JSONField(help_text="By language: sanitised HTML and the hash of the consent text.")
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SeenVersionManager()
    everything = models.Manager["StudyVersion"]()

    class Meta:
        ordering = ["study", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="one_version_per_number")]

    def __str__(self) -> str:
        return f"{self.study} v{self.number}"

    @property
    def exclusion_rules(self) -> list[Rule]:
        """As frozen, in order."""
        return [rule_from_dict(rule) for rule in self.settings.get("exclusion_rules", [])]


class Trial(FrozenModel):
    """One question of a frozen study."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.ForeignKey(StudyVersion, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField(help_text="Place in the plan, from 0.")
    condition = models.ForeignKey(Condition, null=True, on_delete=models.PROTECT, related_name="trials")
    format = models.CharField(max_length=20, choices=TrialFormat)
    kind = models.CharField(max_length=10, choices=TrialKind)

    class Meta:
        ordering = ["version", "number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="one_trial_per_number"),
            models.CheckConstraint(
                condition=~Q(kind=TrialKind.MAIN) | Q(condition__isnull=False),
                name="a_main_trial_has_a_condition",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} #{self.number}"


class TrialOption(FrozenModel):
    """What can be chosen: an image or a label."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="options")
    index = models.PositiveIntegerField()
    image = models.ForeignKey(StoredImage, null=True, on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["trial", "index"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "index"], name="one_option_per_index"),
            models.CheckConstraint(
                condition=Q(image__isnull=False) | ~Q(label=""), name="an_option_shows_something"
            ),
        ]

    def __str__(self) -> str:
        return self.label or f"option {self.index}"


class TrialReference(FrozenModel):
    """What is asked about, and the option that answers it: the key, which never leaves the server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="references")
    index = models.PositiveIntegerField()
    image = models.ForeignKey(StoredImage, null=True, on_delete=models.PROTECT, related_name="+")
    answer = models.ForeignKey(TrialOption, on_delete=models.PROTECT, related_name="+")
    iri = models.ForeignKey(IRI, null=True, on_delete=models.PROTECT, related_name="references")

    class Meta:
        ordering = ["trial", "index"]
        constraints = [models.UniqueConstraint(fields=["trial", "index"], name="one_reference_per_index")]

    def __str__(self) -> str:
        return f"reference {self.index}"
