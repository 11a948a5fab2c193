"""Whoever comes gets the least-filled slot, however people come, finish and leave; who leaves frees it."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from survey_site.participation.models import (
    LogEntry,
    Participant,
    Presentation,
    SessionState,
    StudySession,
)
from survey_site.participation.services import drop_stale
from survey_site.studies.models import Study
from tests.builders import opened_study
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, event, response, running

pytestmark = pytest.mark.django_db

N_SLOTS = 6  # three trials, two of them a person, on two sides: lcm(3, 2) / 2 * 2


def holders() -> Counter[int]:
    """Completed and live sessions by slot."""
    held = StudySession.objects.holding_slots().values_list("slot", flat=True)
    return Counter(dict.fromkeys(range(N_SLOTS), 0)) + Counter(slot for slot in held if slot is not None)


def spread(counted: Counter[int]) -> int:
    counts = [counted[slot] for slot in range(N_SLOTS)]
    return max(counts) - min(counts)


def go_away(visitor: Visitor, minutes: int) -> None:
    StudySession.objects.filter(pk=visitor.session.pk).update(
        consented_at=Now() - timedelta(minutes=minutes), last_seen_at=Now() - timedelta(minutes=minutes)
    )


@pytest.fixture
def study() -> Study:
    return opened_study(n=3, n_catch=0, trials_per_participant=2, resume_minutes=30)


@pytest.mark.parametrize("seed", range(6))
def test_cells_differ_by_one_at_most_in_any_order_of_coming_and_finishing(study: Study, seed: int) -> None:
    rng = random.Random(seed)
    waiting: list[Visitor] = []
    consented: list[Visitor] = []
    for _ in range(40):
        step = rng.choice(["come", "come", "consent", "consent", "answer", "finish"])
        if step == "come":
            waiting.append(Visitor())
            waiting[-1].start()
        elif step == "consent" and waiting:
            consented.append(waiting.pop(rng.randrange(len(waiting))))
            consented[-1].consent()
        elif step in ("answer", "finish") and consented:
            visitor = consented.pop(rng.randrange(len(consented)))
            shown = visitor.presentations()
            visitor.log(*[response(seq, one) for seq, one in enumerate(shown, 1)])
            if step == "finish":
                assert visitor.finish(len(shown)).json()["complete"] is True
        assert spread(holders()) <= 1
    shown_trials = Counter(Presentation.objects.values_list("trial", flat=True))
    assert max(shown_trials.values()) - min(shown_trials.values()) <= 2  # of a slot two trials are shown


@pytest.mark.parametrize("seed", range(6))
def test_with_dropouts_everybody_still_gets_a_least_filled_slot(study: Study, seed: int) -> None:
    rng = random.Random(seed)
    live: list[Visitor] = []
    for _ in range(25):
        if live and rng.random() < 0.4:
            go_away(live.pop(rng.randrange(len(live))), minutes=31)
        drop_stale(study.pk, "real")
        before = holders()
        live.append(running())
        slot = live[-1].session.slot
        assert slot is not None
        assert before[slot] == min(before[one] for one in range(N_SLOTS))


def test_who_drops_out_leaves_list_and_order_to_the_next(study: Study) -> None:
    away, others = running(), [running() for _ in range(N_SLOTS - 1)]
    go_away(away, minutes=31)
    heir = running()
    assert heir.session.slot == away.session.slot == 0
    lists = [
        list(session.presentations.values_list("trial", "option_order", "position"))
        for session in (away.session, heir.session)
    ]
    assert lists[0] == lists[1]
    assert heir.session.rng_seed == away.session.rng_seed
    assert StudySession.objects.get(pk=away.session.pk).state == SessionState.DROPPED
    assert len({one.session.rng_seed for one in others}) == N_SLOTS - 1
    for _ in range(N_SLOTS):  # the seed is inherited once
        assert running().session.rng_seed != away.session.rng_seed


def test_who_is_within_the_window_keeps_the_slot(study: Study) -> None:
    back = running()
    go_away(back, minutes=29)
    assert running().session.slot == 1
    assert back.me().json()["state"] == "consented"
    assert back.manifest().status_code == 200


def test_who_comes_back_too_late_cannot_go_on_but_loses_no_answer(study: Study) -> None:
    late = running()
    shown = late.presentations()
    late.log(response(1, shown[0]))
    go_away(late, minutes=31)
    assert late.me().json()["state"] == "dropped"
    refused = late.manifest()
    assert (refused.status_code, refused.json()["code"]) == (403, "session_expired")
    assert late.log(response(2, shown[1]), event(3)).status_code == 200
    assert LogEntry.objects.count() == 3
    assert late.session.state == SessionState.DROPPED
    # All that was missing was on its way: that is somebody who took part.
    assert late.finish(3).json()["complete"] is True
    assert late.session.state == SessionState.FINISHED


def test_who_only_declined_or_finished_is_never_dropped(study: Study) -> None:
    declined, done = Visitor(), running()
    declined.start()
    declined.consent(agreed=False)
    done.log(*[response(seq, one) for seq, one in enumerate(done.presentations(), 1)])
    done.finish(2)
    for visitor in (declined, done):
        go_away(visitor, minutes=1000)
    drop_stale(study.pk, "real")
    assert (declined.session.state, done.session.state) == (SessionState.REFUSED, SessionState.FINISHED)


def test_a_full_study_takes_nobody_more_and_says_so_until_somebody_drops_out() -> None:
    opened_study(n=2, n_catch=0, quota=2, resume_minutes=30)
    first, early = running(), Visitor()
    early.start()
    running()
    assert early.info().json()["full"] is True
    refused = Visitor().start()
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_full")
    assert refused.json()["detail"] == "the study has its 2 participants"
    refused = early.consent()
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_full")
    assert early.session.state == SessionState.CREATED
    assert Visitor().start(mode="pilot").status_code == 201
    go_away(first, minutes=31)
    assert early.consent().status_code == 200
    assert StudySession.objects.holding_slots().of_mode("real").count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_quota_holds_when_all_consent_at_once(broker: object) -> None:
    opened_study(n=2, n_catch=0, quota=3)
    visitors = [Visitor() for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    answers = at_once(8, lambda number: visitors[number].consent().status_code)
    assert sorted(answers) == [200] * 3 + [403] * 5
    assert StudySession.objects.holding_slots().count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_who_come_at_once_after_one_dropped_out_do_not_share_the_place(broker: object) -> None:
    study = opened_study(n=3, n_catch=0, trials_per_participant=2, resume_minutes=30)
    visitors = [running() for _ in range(N_SLOTS)]
    go_away(visitors[2], minutes=31)
    pair = [Visitor(), Visitor()]
    for visitor in pair:
        visitor.start()
    at_once(2, lambda number: pair[number].consent())
    assert study.sessions.holding_slots().count() == N_SLOTS + 1
    assert spread(holders()) <= 1
    assert Participant.objects.count() == N_SLOTS + 2
    seeds = [visitor.session.rng_seed for visitor in pair]
    assert seeds.count(visitors[2].session.rng_seed) == 1
