"""A released slot goes to the next, with the list and the order that it had."""

from __future__ import annotations

import pytest

from survey_site.participation.models import SessionState, StudySession
from survey_site.participation.services.releasing import ReleaseRefused, release_slot
from tests.builders import opened_study
from tests.participation.visitor import running

pytestmark = pytest.mark.django_db


def shown(session: StudySession) -> list[tuple[object, object]]:
    return list(session.presentations.order_by("position").values_list("trial", "option_order"))


def test_the_next_gets_the_same_list_and_seed() -> None:
    opened_study(n=5, n_catch=0, trials_per_participant=2)
    stuck = running().session
    other = running().session
    assert release_slot(session_id=stuck.pk) is True
    stuck.refresh_from_db()
    assert stuck.state == SessionState.DROPPED
    following = running().session
    assert (following.slot, following.rng_seed) == (stuck.slot, stuck.rng_seed)
    assert shown(following) == shown(stuck)
    assert other.slot != following.slot


def test_releasing_twice_changes_nothing() -> None:
    opened_study(n=2, n_catch=0, trials_per_participant=1)
    session = running().session
    assert [release_slot(session_id=session.pk) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("created", "it has no slot yet, since nobody consented"),
        ("refused", "it never had a slot, since its participant did not consent"),
        ("screened_out", "it was screened out and holds no slot"),
        ("withdrawn", "its participant withdrew, and its slot is free already"),
        ("finished", "it is finished, so its answers fill the slot; exclude it if they must not count"),
    ],
)
def test_where_there_is_no_slot_to_release_the_reason_is_said(state: str, why: str) -> None:
    opened_study(n=2, n_catch=0, trials_per_participant=1)
    session = running().session
    StudySession.objects.update(state=state, screened_out_by="practice" if state == "screened_out" else "")
    with pytest.raises(ReleaseRefused, match=why):
        release_slot(session_id=session.pk)
    session.refresh_from_db()
    assert session.state == state
