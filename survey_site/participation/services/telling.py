"""Telling Prolific what was decided: one submission at a time, again until it answers.

A decision is claimed under a lease, sent, and marked. Whoever is killed in between leaves it to the next
sweep, and Prolific ignores a decision that it is told twice.
"""

from __future__ import annotations

from datetime import timedelta

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from survey_site.participation.models import Payment, PaymentState, Submission, Told
from survey_site.participation.recruitment.prolific import DecisionRefused, ProlificApi, ProlificError
from survey_site.participation.services.submissions import apply_status

LEASE = timedelta(seconds=60)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
SECONDS_FOR_PROLIFIC = 20
#: Prolific's word for each of our states, once it has taken the decision.
STATUS = {PaymentState.APPROVED: "APPROVED", PaymentState.PAID: "APPROVED", PaymentState.REJECTED: "REJECTED"}


def tell_recruiters(*, at_most: int = 100) -> int:
    """Send decisions that wait; how many were taken. Nothing without a token."""
    if not settings.PROLIFIC_API_TOKEN:
        return 0
    taken = 0
    with httpx.Client(timeout=SECONDS_FOR_PROLIFIC) as client:
        api = ProlificApi(client, base_url=settings.PROLIFIC_API_URL, token=settings.PROLIFIC_API_TOKEN)
        for _ in range(at_most):
            payment = claim_decision()
            if payment is None:
                break
            taken += tell(payment, api)
    return taken


@transaction.atomic
def claim_decision() -> Payment | None:
    """The oldest decision that waits, now under a lease; None if none does."""
    payment = (
        Payment.objects.due_to_be_told()
        .order_by("decided_at", "pk")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if payment is not None:
        Payment.objects.filter(pk=payment.pk).update(next_try=Now() + LEASE, attempts=F("attempts") + 1)
        payment.attempts += 1
    return payment


def tell(payment: Payment, api: ProlificApi) -> bool:
    """Send one claimed decision; whether Prolific took it. What it refuses is kept with its words."""
    try:
        if payment.state == PaymentState.REJECTED:
            api.reject(payment.recruiter_reference, message=payment.reason, category=payment.category)
        else:
            api.approve(payment.recruiter_reference)
    except DecisionRefused as refusal:
        _mark(payment, told=Told.REFUSED, told_reason=str(refusal)[:500])
        return False
    except ProlificError as error:
        wait = min(FIRST_WAIT * 2 ** min(payment.attempts - 1, 10), LONGEST_WAIT)
        _mark(payment, told_reason=str(error)[:500], next_try=Now() + wait)
        return False
    _mark(payment, told=Told.SENT, told_reason="")
    submission = Submission.objects.filter(
        recruiter=payment.recruiter, submission_id=payment.recruiter_reference
    ).first()
    if submission is not None:
        apply_status(submission, status=STATUS[PaymentState(payment.state)], at=timezone.now())
    return True


def _mark(payment: Payment, **said: object) -> None:
    Payment.objects.filter(pk=payment.pk, told=Told.WAITING).update(**said)
