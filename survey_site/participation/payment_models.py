"""What people are owed for a session, who decided so, and whether their recruiter was told."""

from __future__ import annotations

import uuid
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from survey_site.studies.money import as_text


class PaymentKind(models.TextChoices):
    BASE = "base", "Base"
    BONUS = "bonus", "Bonus"


class PaymentState(models.TextChoices):
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    PAID = "paid", "Paid"


class Told(models.TextChoices):
    """Whether the recruiter's API was told of a decision."""

    RECORDED = "recorded", "Recorded here only"
    WAITING = "waiting", "To be sent"
    SENT = "sent", "Sent"
    REFUSED = "refused", "Refused by the recruiter"


class PaymentQuerySet(models.QuerySet["Payment"]):
    def base(self) -> Self:
        return self.filter(kind=PaymentKind.BASE)

    def due_to_be_told(self) -> Self:
        """Nobody is at it, and the last attempt is long enough ago."""
        return self.filter(told=Told.WAITING).filter(Q(next_try=None) | Q(next_try__lt=Now()))

    def totals(self) -> list[tuple[str, str, int, int]]:
        """Currency, state, how many, and their sum in minor units."""
        found = self.order_by("currency", "state").values_list("currency", "state")
        return list(found.annotate(n=models.Count("pk"), minor=Sum("amount_minor")))


class Payment(models.Model):
    """One decision about money for one session: its base pay, or a bonus. Nothing is transferred from here.

    It outlives its session, so that the books stay whole: `study` keeps it then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="payments")
    session = models.ForeignKey(
        "participation.StudySession", null=True, on_delete=models.SET_NULL, related_name="payments"
    )
    kind = models.CharField(max_length=5, choices=PaymentKind)
    state = models.CharField(max_length=8, choices=PaymentState)
    amount_minor = models.PositiveIntegerField(help_text="In the currency's smallest unit.")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=1000, blank=True)
    category = models.CharField(max_length=30, blank=True, help_text="Of a rejection, as Prolific has them.")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    decided_at = models.DateTimeField(default=timezone.now)
    recorded_at = models.DateTimeField(auto_now_add=True)
    request_key = models.UUIDField(null=True, help_text="Of the form: sent twice, it is recorded once.")
    recruiter = models.CharField(max_length=20)
    recruiter_reference = models.CharField(max_length=100, blank=True, help_text="Submission, assignment.")
    # Telling the recruiter
    told = models.CharField(max_length=8, choices=Told, default=Told.RECORDED)
    told_reason = models.CharField(max_length=500, blank=True, help_text="Why the last attempt failed.")
    attempts = models.PositiveIntegerField(default=0)
    next_try = models.DateTimeField(null=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        ordering = ["recorded_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["session"], condition=Q(kind=PaymentKind.BASE), name="one_base_pay_per_session"
            ),
            models.UniqueConstraint(fields=["session", "request_key"], name="one_bonus_per_session_and_form"),
            models.CheckConstraint(
                condition=Q(kind__in=PaymentKind.values)
                & Q(state__in=PaymentState.values)
                & Q(told__in=Told.values),
                name="payment_words_are_known",
            ),
            models.CheckConstraint(
                condition=~Q(state=PaymentState.REJECTED) | ~Q(reason=""), name="a_rejection_has_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(kind=PaymentKind.BASE) | (Q(amount_minor__gte=1) & ~Q(reason="")),
                name="a_bonus_is_some_money_for_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.amount}: {self.get_state_display().lower()}"

    @property
    def amount(self) -> str:
        return as_text(self.amount_minor, self.currency)
