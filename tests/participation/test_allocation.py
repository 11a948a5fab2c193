"""Slots: whoever consents at once gets different ones, and none is filled twice before all are once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from survey_site.participation.models import (
    Participant,
    Presentation,
    RecruiterId,
    SessionState,
    StudySession,
)
from tests.builders import opened_study
from tests.participation.visitor import Visitor, running

pytestmark = pytest.mark.django_db


def slots(**of: Any) -> list[int]:
    taken = StudySession.objects.exclude(slot=None).filter(**of).values_list("slot", flat=True)
    return sorted(slot for slot in taken if slot is not None)


def at_once(n: int, act: Any) -> list[Any]:
    """`act(number)` in `n` threads that start together."""
    together = threading.Barrier(n)

    def one(number: int) -> Any:
        try:
            together.wait()
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


@pytest.mark.django_db(transaction=True)
def test_twelve_who_consent_at_once_fill_the_slots_evenly(broker: object) -> None:
    opened_study(n=5, n_catch=0, trials_per_participant=2)  # ten slots
    visitors = [Visitor() for _ in range(12)]
    for visitor in visitors:
        visitor.start()
    answers = at_once(12, lambda number: visitors[number].consent().status_code)
    assert answers == [200] * 12
    filled = Counter(slots())
    assert set(filled) == set(range(10))
    assert max(filled.values()) - min(filled.values()) <= 1


@pytest.mark.django_db(transaction=True)
def test_two_who_consent_at_once_get_different_slots(broker: object) -> None:
    opened_study(n=5, n_catch=0, trials_per_participant=2)
    visitors = [Visitor(), Visitor()]
    for visitor in visitors:
        visitor.start()
    at_once(2, lambda number: visitors[number].consent())
    assert slots() == [0, 1]


@pytest.mark.django_db(transaction=True)
def test_one_person_who_clicks_eight_times_at_once_has_one_session(broker: object) -> None:
    opened_study(n=2)
    answers = at_once(8, lambda _: Visitor().start(recruitment={"PROLIFIC_PID": "p"}))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["session_id"] for answer in answers}) == 1
    assert Participant.objects.count() == RecruiterId.objects.count() == StudySession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_person_known_from_another_study_who_clicks_at_once_has_one_session(broker: object) -> None:
    opened_study(n=2)
    opened_study("other", n=2, slug="houses")
    Visitor("houses").start(recruitment={"PROLIFIC_PID": "p"})
    answers = at_once(8, lambda _: Visitor().start(recruitment={"PROLIFIC_PID": "p"}))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert StudySession.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_person_who_consents_twice_at_once_takes_one_slot(broker: object) -> None:
    opened_study(n=3, n_catch=0)
    visitor = Visitor()
    visitor.start()
    answers = at_once(4, lambda _: Visitor(token=visitor.token).consent().json()["state"])
    assert answers == ["consented"] * 4
    assert (slots(), Presentation.objects.count()) == ([0], 3)


def test_pilots_are_counted_apart() -> None:
    opened_study(n=4, n_catch=0, trials_per_participant=2)
    for mode in ("pilot", "real", "pilot", "real"):
        visitor = Visitor()
        visitor.start(mode=mode)
        visitor.consent()
    assert slots(mode="real") == slots(mode="pilot") == [0, 1]


def test_who_refuses_or_only_looks_takes_no_slot_and_a_dropped_one_is_given_again() -> None:
    opened_study(n=4, n_catch=0, trials_per_participant=2)
    Visitor().start()
    refusing = Visitor()
    refusing.start()
    refusing.consent(agreed=False)
    assert (refusing.session.consented_at, refusing.session.consent_version) == (None, "")
    first, second = running(), running()
    assert (first.session.slot, second.session.slot) == (0, 1)
    StudySession.objects.filter(pk=first.session.pk).update(state=SessionState.DROPPED)
    assert running().session.slot == 0


def test_over_all_slots_every_trial_is_shown_equally_often_and_on_both_sides() -> None:
    opened_study(n=3, n_catch=0, trials_per_participant=2)
    for _ in range(6):  # lcm(3, 2) / 2 sessions show all; twice that show all on both sides
        running()
    shown = Counter(
        (trial, tuple(order)) for trial, order in Presentation.objects.values_list("trial", "option_order")
    )
    assert len(shown) == 6
    assert set(shown.values()) == {2}
