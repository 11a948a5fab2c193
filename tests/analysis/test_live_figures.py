"""Counts, balance and answers a minute, against rows that were made for it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now

from survey_site.analysis.balance import balance_of, times_shown
from survey_site.analysis.live_counts import live_counts, responses_per_minute
from survey_site.analysis.session_flags import refresh_flags
from survey_site.participation.models import HOLDS_SLOT, LogEntry, Presentation, StudySession
from tests.analysis.answered_study import AnsweredStudy, answered_study
from tests.builders import opened_study, version_of
from tests.participation.visitor import running

NOW = datetime(2026, 3, 1, 12, 30, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> AnsweredStudy:
    return answered_study()


def test_sessions_are_counted_by_state_and_minutes_by_their_median(study: AnsweredStudy) -> None:
    states = ["finished"] * 3 + ["running", "dropped", "refused", "withdrawn", "created"]
    for number, (session, state) in enumerate(zip(study.answer(n=8), states, strict=True)):
        StudySession.objects.filter(pk=session.pk).update(
            state=state, consented_at=NOW, finished_at=NOW + timedelta(minutes=4 + 10 * number**2)
        )
    counts = live_counts(study.study, "real")
    assert counts["median_minutes"] == 14
    told = {name: counts[name] for name in ("finished", "active", "dropped", "declined", "withdrawn", "away")}
    assert told == {"finished": 3, "active": 1, "dropped": 1, "declined": 1, "withdrawn": 1, "away": 0}
    assert counts["by_version"] == [(1, 8)]


def test_without_sessions_there_are_zeros_and_no_rates(study: AnsweredStudy) -> None:
    counts = live_counts(study.study, "real")
    assert (counts["started"], counts["median_minutes"], counts["catch_rate"]) == (0, None, None)
    balance = balance_of(study.version, "real")
    assert (balance.least, balance.most) == (0, 0)
    assert responses_per_minute(study.study, "real", now=NOW) == [0] * 60


def test_the_catch_rate_is_over_all_that_were_answered(study: AnsweredStudy) -> None:
    study.answer(n=3, share=1)
    study.answer(n=1, share=0)
    refresh_flags()
    assert live_counts(study.study, "real")["catch_rate"] == 0.75
    assert live_counts(study.study, "pilot")["catch_rate"] is None


def test_who_is_away_too_long_is_not_active() -> None:
    study = opened_study(n=2, n_catch=0, resume_minutes=5)
    running()
    gone = running().session
    StudySession.objects.filter(pk=gone.pk).update(consented_at=Now() - timedelta(minutes=6))
    counts = live_counts(study, "real")
    assert (counts["active"], counts["away"]) == (1, 1)


def test_the_balance_is_what_presentations_say() -> None:
    study = opened_study(n=5, n_catch=1, n_repeats=1, repeat_distance=1, trials_per_participant=2)
    version = version_of(study)
    for _ in range(7):
        running()
    dropped = StudySession.objects.all()[3]
    StudySession.objects.filter(pk=dropped.pk).update(state="dropped")
    StudySession.objects.filter(pk=StudySession.objects.all()[0].pk).update(slot=None)
    shown = Counter(
        Presentation.objects.filter(
            session__state__in=HOLDS_SLOT, trial__kind="main", repeat_of=None
        ).values_list("trial", flat=True)
    )
    assert Presentation.objects.exclude(repeat_of=None).exists()
    assert times_shown(version, "real") == {
        trial: shown[trial] for trial in version.trials.filter(kind="main").values_list("pk", flat=True)
    }
    balance = balance_of(version, "real")
    [row] = balance.conditions
    assert (row.n_trials, row.total, row.least, row.most) == (5, 12, min(shown.values()), max(shown.values()))
    assert balance.most - balance.least <= 2
    assert balance_of(version, "pilot").most == 0


def test_answers_are_counted_by_the_minute_of_the_last_hour(study: AnsweredStudy) -> None:
    session, other = study.answer(n=2)
    pilot = study.answer(n=1, mode="pilot")[0]
    StudySession.objects.update(last_seen_at=NOW)
    minutes = {1: 0, 2: 0, 3: 1, 4: 59, 5: 60, 6: 500}
    for seq, ago in minutes.items():
        entry = LogEntry.objects.filter(session__in=[session, other], seq=seq)
        entry.update(received_at=NOW - timedelta(minutes=ago))
    LogEntry.objects.filter(seq=7).update(received_at=NOW, kind="event")
    LogEntry.objects.filter(session=pilot).update(received_at=NOW - timedelta(seconds=30))
    rate = responses_per_minute(study.study, "real", now=NOW)
    assert (rate[-1], rate[-2], rate[0], sum(rate)) == (4, 2, 2, 8)
    assert responses_per_minute(study.study, "pilot", now=NOW)[-2] == 6
    assert sum(responses_per_minute(study.study, "real")) == 0  # by the clock, that hour is over
