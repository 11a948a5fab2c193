"""Approving, rejecting and paying sessions: decided once, logged, and told to the recruiter where it listens.

Each function decides about one session under its lock, and says whether anything changed: the same decision
again changes nothing. What makes no sense raises PaymentRefused with the reason.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from survey_site.access.models import User
from survey_site.participation.models import (
    Mode,
    Payment,
    PaymentKind,
    PaymentState,
    SessionState,
    StudySession,
    Told,
)
from survey_site.participation.recruitment.prolific import REJECTION_CATEGORIES, SHORTEST_REJECTION
from survey_site.studies.models import Recruiter
from survey_site.studies.money import DEFAULT_CURRENCY, as_text

LONGEST_REASON = 1000
LARGEST_BONUS_MINOR = 1_000_000
NEVER_BEGAN = {
    SessionState.CREATED: "it only opened the page",
    SessionState.REFUSED: "its participant did not consent",
    SessionState.CONSENTED: "it is still under way; wait for its end, or release its slot first",
    SessionState.RUNNING: "it is still under way; wait for its end, or release its slot first",
}


class PaymentRefused(Exception):
    """A decision that makes no sense for this session; the message says why."""


@transaction.atomic
def approve(*, session_id: UUID, by: User | None = None) -> bool:
    """The session earns its version's base pay. An earlier rejection is taken back, unless it was sent."""
    session = _locked(session_id)
    payment = _base(session)
    if payment is not None:
        if payment.state != PaymentState.REJECTED and payment.told != Told.REFUSED:
            return False
        _refuse_if_sent(payment)
    _save_base(session, payment, by, state=PaymentState.APPROVED, reason="", category="")
    return True


@transaction.atomic
def reject(*, session_id: UUID, reason: str, category: str = "OTHER", by: User | None = None) -> bool:
    """The session earns nothing, for this reason. Its answers are untouched: excluding is another matter."""
    session = _locked(session_id)
    reason = _checked_reason(reason)
    if category not in REJECTION_CATEGORIES:
        raise PaymentRefused(f"category is {category!r}; allowed: {', '.join(REJECTION_CATEGORIES)}")
    if session.state == SessionState.WITHDRAWN:
        raise PaymentRefused("its participant withdrew, which costs nobody the pay")
    payment = _base(session)
    if payment is not None:
        if payment.state == PaymentState.PAID:
            raise PaymentRefused("it is paid already")
        is_same = (payment.state, payment.reason, payment.category) == (
            PaymentState.REJECTED, reason, category,
        )  # fmt: skip
        if is_same and payment.told != Told.REFUSED:
            return False
        _refuse_if_sent(payment)
    if _is_told(session) and len(reason) < SHORTEST_REJECTION:
        raise PaymentRefused(
            f"Prolific wants a reason of {SHORTEST_REJECTION} characters or more, since the participant "
            f"reads it; this one has {len(reason)}"
        )
    _save_base(session, payment, by, state=PaymentState.REJECTED, reason=reason, category=category)
    return True


@transaction.atomic
def give_bonus(
    *, session_id: UUID, amount_minor: int, reason: str, request_key: UUID, by: User | None = None
) -> bool:
    """Something on top, in the currency of the session's version. The same form again changes nothing."""
    session = _locked(session_id)
    if not 1 <= amount_minor <= LARGEST_BONUS_MINOR:
        currency = _pay_of(session)[1]
        given, most = (as_text(minor, currency) for minor in (amount_minor, LARGEST_BONUS_MINOR))
        raise PaymentRefused(f"a bonus of {given} is not given; allowed: more than 0, at most {most}")
    _, made = Payment.objects.get_or_create(
        session=session,
        request_key=request_key,
        defaults={
            "study_id": session.study_id,
            "kind": PaymentKind.BONUS,
            "state": PaymentState.APPROVED,
            "amount_minor": amount_minor,
            "currency": _pay_of(session)[1],
            "reason": _checked_reason(reason),
            **_decision(session, by),
        },
    )
    return made


@transaction.atomic
def mark_paid(*, session_id: UUID, by: User | None = None) -> bool:
    """What was approved, base pay and bonuses, has been paid outside of this site."""
    session = _locked(session_id)
    payments = Payment.objects.filter(session=session)
    approved = payments.filter(state=PaymentState.APPROVED)
    if approved.exists():
        approved.update(
            state=PaymentState.PAID, decided_by_id=by.pk if by else None, decided_at=timezone.now()
        )
        return True
    if payments.filter(state=PaymentState.PAID).exists():
        return False
    raise PaymentRefused("nothing is approved that could be paid; approve it first")


def _locked(session_id: UUID) -> StudySession:
    """The session, locked, if there can be pay for it."""
    session = (
        StudySession.objects.select_for_update(of=("self",))
        .select_related("version", "submission")
        .get(pk=session_id)
    )
    if session.mode != Mode.REAL:
        raise PaymentRefused(f"it is a {session.mode} session; only real ones are paid")
    if session.is_refused_device:
        raise PaymentRefused("it was refused for its device before it began")
    if reason := NEVER_BEGAN.get(SessionState(session.state)):
        raise PaymentRefused(reason)
    return session


def _base(session: StudySession) -> Payment | None:
    return Payment.objects.base().select_for_update(of=("self",)).filter(session=session).first()


def _refuse_if_sent(payment: Payment) -> None:
    if payment.told == Told.SENT:
        raise PaymentRefused(
            f"Prolific was told that it is {payment.state}, which cannot be changed from here; "
            "write to the participant there"
        )
    if payment.told == Told.WAITING and payment.next_try and payment.next_try > timezone.now():
        raise PaymentRefused(f"Prolific is just being told that it is {payment.state}; try again in a minute")


def _save_base(session: StudySession, payment: Payment | None, by: User | None, **decided: Any) -> None:
    """A decision anew goes by the version's pay as it was frozen, and is sent anew."""
    payment = payment or Payment(session=session, study_id=session.study_id, kind=PaymentKind.BASE)
    payment.amount_minor, payment.currency = _pay_of(session)
    told = {"told": Told.WAITING if _is_told(session) else Told.RECORDED, "told_reason": ""}
    anew = {**told, "attempts": 0, "next_try": None}
    for name, value in {**decided, **anew, **_decision(session, by)}.items():
        setattr(payment, name, value)
    payment.save()


def _decision(session: StudySession, by: User | None) -> dict[str, Any]:
    return {
        "decided_by_id": by.pk if by else None,
        "decided_at": timezone.now(),
        "recruiter": session.recruiter,
        "recruiter_reference": _reference(session),
    }


def _pay_of(session: StudySession) -> tuple[int, str]:
    """Minor units and currency, as the session's version froze them."""
    settings_then = session.version.settings
    return settings_then.get("base_pay_minor", 0), settings_then.get("currency", DEFAULT_CURRENCY)


def _reference(session: StudySession) -> str:
    submission = getattr(session, "submission", None)
    return submission.submission_id if submission else ""


def _is_told(session: StudySession) -> bool:
    """Whether the recruiter has an API for decisions, and this site may use it."""
    is_prolific = session.recruiter == Recruiter.PROLIFIC and bool(_reference(session))
    return is_prolific and bool(settings.PROLIFIC_API_TOKEN)


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise PaymentRefused(
            f"the reason has {len(reason):,} characters; allowed: 1 to {LONGEST_REASON:,}, since it is kept"
        )
    return reason
