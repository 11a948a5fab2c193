"""What is done to the sessions that are selected on the live page: one by one, each logged, none twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from survey_site.access.roles import Role
from survey_site.access.services import record_event
from survey_site.analysis.excluding import ExclusionRefused, exclude_by_hand, exclude_by_rule, include_again
from survey_site.participation.models import StudySession
from survey_site.participation.services import payments
from survey_site.participation.services.payments import PaymentRefused
from survey_site.participation.services.releasing import ReleaseRefused, release_slot
from survey_site.studies.models import Study
from survey_site.studies.money import DEFAULT_CURRENCY, MoneyError, minor_units

REFUSALS = (PaymentRefused, ReleaseRefused, ExclusionRefused, MoneyError)

Act = Callable[[StudySession, dict[str, Any], Any], bool]


@dataclass(frozen=True)
class Action:
    """`label` on the page; `event` in the audit log; `done` and `same` complete “3 sessions ...”.

    `needs` names the fields of the form that it reads.
    """

    label: str
    role: Role
    event: str
    done: str
    same: str
    act: Act
    needs: tuple[str, ...] = ()


def _approve(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return payments.approve(session_id=session.pk, by=user)


def _reject(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return payments.reject(
        session_id=session.pk, reason=given["reason"], category=given["category"] or "OTHER", by=user
    )


def _bonus(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    if given["amount"] is None:
        raise PaymentRefused("a bonus takes an amount")
    currency = session.version.settings.get("currency", DEFAULT_CURRENCY)
    return payments.give_bonus(
        session_id=session.pk,
        amount_minor=minor_units(given["amount"], currency),
        reason=given["reason"],
        request_key=given["key"],
        by=user,
    )


def _paid(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return payments.mark_paid(session_id=session.pk, by=user)


def _release(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return release_slot(session_id=session.pk)


def _exclude(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return exclude_by_hand(session_id=session.pk, reason=given["reason"])


def _exclude_by_rule(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return exclude_by_rule(session_id=session.pk, rule=given["rule"])


def _include(session: StudySession, given: dict[str, Any], user: Any) -> bool:
    return include_again(session_id=session.pk)


ACTIONS: dict[str, Action] = {
    "approve": Action(
        "Approve", Role.EDITOR, "approve session", "approved", "approved already", _approve
    ),
    "reject": Action(
        "Reject", Role.EDITOR, "reject session", "rejected", "rejected already for that reason", _reject,
        ("reason", "category"),
    ),
    "bonus": Action(
        "Give a bonus", Role.EDITOR, "give bonus", "given a bonus", "given this bonus already", _bonus,
        ("amount", "reason"),
    ),
    "paid": Action(
        "Mark as paid", Role.EDITOR, "mark paid", "marked as paid", "paid already", _paid
    ),
    "release": Action(
        "Release the slot", Role.EDITOR, "release slot", "dropped, the slot free for the next",
        "dropped already", _release,
    ),
    "exclude": Action(
        "Exclude by hand", Role.ANALYST, "exclude session", "excluded",
        "excluded already for that reason", _exclude, ("reason",),
    ),
    "exclude_by_rule": Action(
        "Exclude by a rule", Role.ANALYST, "exclude session", "excluded",
        "excluded by hand already", _exclude_by_rule, ("rule",),
    ),
    "include": Action(
        "Include again", Role.ANALYST, "include session", "included again", "not excluded", _include
    ),
}  # fmt: skip


@dataclass
class Outcome:
    """Ids of sessions by what became of them; those refused by the reason."""

    done: list[UUID] = field(default_factory=list)
    same: list[UUID] = field(default_factory=list)
    refused: dict[str, list[UUID]] = field(default_factory=dict)
    unknown: list[UUID] = field(default_factory=list)


def act_on(*, study: Study, name: str, keys: Sequence[UUID], given: dict[str, Any], user: Any) -> Outcome:
    """Do it to each of the study's sessions among `keys`, whatever becomes of the others."""
    action, outcome = ACTIONS[name], Outcome()
    found = StudySession.objects.filter(study=study, mode__in=["real", "pilot"]).select_related("version")
    sessions = found.in_bulk(list(keys))
    outcome.unknown = [key for key in keys if key not in sessions]
    for key, session in sessions.items():
        try:
            with transaction.atomic():
                changed = action.act(session, given, user)
                if changed:
                    _log(action, study, session, given, user)
        except REFUSALS as refusal:
            outcome.refused.setdefault(str(refusal), []).append(key)
        else:
            (outcome.done if changed else outcome.same).append(key)
    return outcome


def _log(action: Action, study: Study, session: StudySession, given: dict[str, Any], user: Any) -> None:
    said = {name: str(given[name]) for name in action.needs if given.get(name)}
    detail = {"session": str(session.pk), **said}
    record_event(user=user, action=action.event, subject=study, detail=detail)
