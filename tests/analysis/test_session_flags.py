"""Flags of sessions: what the exclusion rules would say, kept up with the answers."""

from __future__ import annotations

import json

import pytest
from django.db.models.functions import Now

from survey_site.analysis import session_flags
from survey_site.analysis.exclusion_services import _expected, unfinished_sessions
from survey_site.analysis.flag_models import sessions_with_stale_flags
from survey_site.analysis.models import SessionFlags
from survey_site.analysis.response_rows import response_rows
from survey_site.analysis.responses import session_facts
from survey_site.analysis.session_flags import DEFAULT_FLAGS, facts_of, flag_rules, refresh_flags
from survey_site.analysis.tasks import flags as flag_task
from survey_site.participation.models import Response, StudySession
from survey_site.studies.exclusion_rules import CatchRate, TooFast
from tests.analysis.answered_study import AnsweredStudy, answered_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> AnsweredStudy:
    return answered_study()


def flags_of(session: StudySession) -> dict[str, str]:
    return {flag["rule"]: flag["reason"] for flag in SessionFlags.objects.get(session=session).flags}


def test_the_facts_are_those_that_the_exclusion_rules_decide_on(study: AnsweredStudy) -> None:
    study.answer(n=4)
    study.new_version()
    study.answer(n=2, seed=1)
    Response.objects.filter(presentation__position=2).update(option=None, timed_out=True)
    Response.objects.filter(presentation__position=1).update(focus_lost=3)
    StudySession.objects.filter(pk=StudySession.objects.all()[0].pk).update(state="running")
    decided_on = session_facts(
        response_rows(study.study, "real"),
        expected=_expected(study.study, "real"),
        unfinished=unfinished_sessions(study.study, "real"),
    )
    found = facts_of(StudySession.objects.all())
    assert len(found) == 6
    assert found == {facts.session: facts for facts in decided_on}


def test_a_session_is_flagged_by_the_usual_thresholds(study: AnsweredStudy) -> None:
    fast, slow = study.answer(n=2, share=1)
    Response.objects.filter(presentation__session=fast).update(rt=90, focus_lost=1)
    assert refresh_flags() == 2
    assert flags_of(slow) == {}
    assert flags_of(fast) == {
        "too_fast": "6 of 6 answers faster than 200 ms (median 90 ms)",
        "focus_loss": "the page lost focus 7 times, more than 5",
    }
    stored = SessionFlags.objects.get(session=fast)
    assert (stored.answered, stored.expected, stored.median_rt, stored.focus_lost, stored.n_flags) == (
        6, 6, 90, 7, 2,
    )  # fmt: skip


def test_the_versions_own_thresholds_go_before_the_usual_ones(study: AnsweredStudy) -> None:
    study.new_version(json.dumps([{"rule": "too_fast", "minimum_ms": 600}, {"rule": "incomplete"}]))
    [session] = study.answer(n=1, share=1)
    refresh_flags()
    assert flags_of(session) == {"too_fast": "6 of 6 answers faster than 600 ms (median 512 ms)"}
    rules = {rule.name: rule for rule in flag_rules(study.version)}
    assert rules["too_fast"] == TooFast(minimum_ms=600)
    assert rules["catch_rate"] == CatchRate()
    assert list(rules) == [rule.name for rule in DEFAULT_FLAGS]


def test_only_what_has_moved_is_computed_again(study: AnsweredStudy) -> None:
    first, second = study.answer(n=2, share=1)
    assert [refresh_flags(), refresh_flags()] == [2, 0]
    Response.objects.filter(presentation__session__in=[first, second]).update(rt=50)
    StudySession.objects.filter(pk=first.pk).update(last_seen_at=Now())
    assert refresh_flags() == 1
    assert "too_fast" in flags_of(first)
    assert flags_of(second) == {}
    StudySession.objects.filter(pk=second.pk).update(state="dropped")
    assert refresh_flags() == 1
    SessionFlags.objects.update(format=0)  # as another release stored them
    assert refresh_flags() == 2


def test_who_answered_nothing_has_facts_and_who_never_consented_has_none(study: AnsweredStudy) -> None:
    sessions = study.answer(n=3)
    for session, state in zip(sessions, ("consented", "created", "refused"), strict=True):
        session.presentations.all().delete()
        StudySession.objects.filter(pk=session.pk).update(state=state)
    refresh_flags()
    stored = SessionFlags.objects.get()
    assert stored.session == sessions[0]
    assert (stored.answered, stored.expected, stored.catch_share, stored.median_rt) == (0, 0, None, None)
    assert not sessions_with_stale_flags().exists()


def test_previews_have_no_flags_and_pilots_have(study: AnsweredStudy) -> None:
    study.answer(n=1, mode="pilot")
    study.answer(n=1, mode="preview")
    flag_task()
    assert SessionFlags.objects.get().session.mode == "pilot"


def test_flags_can_be_asked_for_by_rule(study: AnsweredStudy) -> None:
    fast, _ = study.answer(n=2, share=1)
    Response.objects.filter(presentation__session=fast).update(rt=90)
    refresh_flags()
    assert SessionFlags.objects.flagged().get().session == fast
    assert SessionFlags.objects.flagged("too_fast").get().session == fast
    assert not SessionFlags.objects.flagged("focus_loss").exists()


def test_a_run_ends_before_others_wait_for_long(
    study: AnsweredStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_flags, "MOST_IN_A_RUN", 2)
    monkeypatch.setattr(session_flags, "SESSIONS_AT_ONCE", 1)
    study.answer(n=5)
    assert [refresh_flags() for _ in range(4)] == [2, 2, 1, 0]
