"""What is done to selected sessions: by whom, once, refused with a reason, and logged."""

from __future__ import annotations

import csv
import io
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from survey_site.access.models import AuditEvent
from survey_site.access.roles import Role
from survey_site.analysis.exclusion_services import exclude_session
from survey_site.analysis.models import Exclusion
from survey_site.analysis.payments_file import stream_payments_csv
from survey_site.analysis.results import compute_results
from survey_site.participation.models import Payment, Response, SessionState, StudySession
from survey_site.studies.models import Study
from tests.analysis.answered_study import answered_study
from tests.builders import logged_in, member, opened_study, researcher, superuser
from tests.participation.test_payments import finished
from tests.participation.visitor import Visitor, running

pytestmark = pytest.mark.django_db

ACT = "/admin/live/faces/act/"
PAY = "/admin/live/faces/payments.csv"


@pytest.fixture
def study() -> Study:
    return opened_study(n=2, n_catch=0, base_pay=Decimal("1.20"))


@pytest.fixture
def client() -> Client:
    return logged_in(superuser())


def act(client: Client, action: str, *sessions: Any, **given: Any) -> Any:
    form = {"action": action, "sessions": [getattr(one, "pk", one) for one in sessions]}
    return client.post(ACT, {**form, "key": str(uuid.uuid4()), **given})


def said(answer: Any) -> list[str]:
    """The messages of the page to which one is sent back."""
    page = answer.client.get(answer["Location"])
    return [str(message) for message in page.context["messages"]]


def logged() -> list[tuple[str, dict[str, Any]]]:
    found = AuditEvent.objects.exclude(action__in=["open study"]).order_by("pk")
    return list(found.values_list("action", "detail"))


def test_sessions_are_approved_each_with_a_line_in_the_log(study: Study, client: Client) -> None:
    done, also, live = finished(), finished(), running().session
    answer = act(client, "approve", done, also, live)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/live/faces/")
    assert said(answer) == [
        "2 sessions approved.",
        f"1 session unchanged ({live}): it is still under way; wait for its end, or release its slot first.",
    ]
    assert {payment.session_id for payment in Payment.objects.all()} == {done.pk, also.pk}
    assert {payment.amount for payment in Payment.objects.all()} == {"1.20 GBP"}
    assert sorted(logged(), key=str) == sorted(
        (("approve session", {"session": str(one.pk)}) for one in (done, also)), key=str
    )
    assert said(act(client, "approve", done)) == [
        "1 session unchanged: approved already.",
    ]
    assert len(logged()) == 2


def test_a_rejection_takes_a_reason_and_keeps_it(study: Study, client: Client) -> None:
    session = finished()
    assert said(act(client, "reject", session, reason="  ")) == [
        f"1 session unchanged ({session}): the reason has 0 characters; allowed: 1 to 1,000, "
        "since it is kept."
    ]
    assert said(act(client, "reject", session, reason="empty", category="NO_DATA")) == ["1 session rejected."]
    payment = Payment.objects.get()
    assert (payment.state, payment.reason, payment.category) == ("rejected", "empty", "NO_DATA")
    assert logged() == [
        ("reject session", {"session": str(session.pk), "reason": "empty", "category": "NO_DATA"})
    ]


def test_a_bonus_form_sent_twice_pays_once(study: Study, client: Client) -> None:
    session, key = finished(), str(uuid.uuid4())
    given = {"amount": "0.50", "reason": "fast and right", "key": key}
    assert said(act(client, "bonus", session, **given)) == ["1 session given a bonus."]
    assert said(act(client, "bonus", session, **given)) == ["1 session unchanged: given this bonus already."]
    assert Payment.objects.get().amount == "0.50 GBP"
    assert said(act(client, "bonus", session, reason="more"))[0].endswith("a bonus takes an amount.")
    assert said(act(client, "bonus", session, amount="-1", reason="x"))[0].endswith(
        "-1 GBP cannot be paid; allowed: 0 or more, with 2 digits after the point."
    )
    assert said(act(client, "bonus", session, amount="0.001", reason="x"))[0].startswith("Amount: ")
    assert said(act(client, "paid", session)) == ["1 session marked as paid."]
    assert said(act(client, "paid", session)) == ["1 session unchanged: paid already."]
    assert [action for action, _ in logged()] == ["give bonus", "mark paid"]


def test_a_released_slot_is_free_for_the_next(study: Study, client: Client) -> None:
    live, done = running().session, finished()
    assert said(act(client, "release", live, done)) == [
        "1 session dropped, the slot free for the next.",
        f"1 session unchanged ({done}): it is finished, so its answers fill the slot; exclude it if they "
        "must not count.",
    ]
    live.refresh_from_db()
    assert live.state == SessionState.DROPPED
    assert running().session.rng_seed == live.rng_seed
    assert said(act(client, "release", live)) == ["1 session unchanged: dropped already."]


def test_sessions_are_excluded_by_hand_and_included_again(study: Study, client: Client) -> None:
    session = finished()
    assert said(act(client, "exclude", session, reason="a colleague")) == ["1 session excluded."]
    assert Exclusion.objects.values_list("rule", "reason").get() == ("researcher", "a colleague")
    assert said(act(client, "exclude", session, reason="a colleague")) == [
        "1 session unchanged: excluded already for that reason."
    ]
    assert said(act(client, "exclude", session, reason="x" * 301))[0].endswith(
        "allowed: 1 to 300, since it is reported."
    )
    assert said(act(client, "include", session)) == ["1 session included again."]
    assert said(act(client, "include", session)) == ["1 session unchanged: not excluded."]
    assert [action for action, _ in logged()] == ["exclude session", "include session"]
    assert not Exclusion.objects.exists()


def test_a_rule_excludes_only_those_that_it_speaks_against(client: Client) -> None:
    answered = answered_study()
    fast, slow = answered.answer(n=2, share=1)
    Response.objects.filter(presentation__session=fast).update(rt=90)
    assert said(act(client, "exclude_by_rule", fast, slow, rule="too_fast")) == [
        "1 session excluded.",
        f"1 session unchanged ({slow}): too_fast does not speak against it.",
    ]
    reason = "too_fast, chosen after opening: 6 of 6 answers faster than 200 ms (median 90 ms)"
    assert Exclusion.objects.values_list("session", "rule", "reason").get() == (fast.pk, "researcher", reason)
    report = compute_results(answered.study, "real").report
    assert [one["session"] for one in report["exclusions"]["sessions"]] == [str(fast.pk)]
    assert said(act(client, "exclude_by_rule", fast, rule="too_fast")) == [
        "1 session unchanged: excluded by hand already."
    ]


def test_what_the_studys_own_rules_say_is_neither_repeated_nor_taken_back(client: Client) -> None:
    answered = answered_study()
    answered.new_version('[{"rule": "too_fast"}]')
    [fast] = answered.answer(n=1, share=1)
    Response.objects.filter(presentation__session=fast).update(rt=90)
    compute_results(answered.study, "real")
    assert (
        "too_fast is one of the study's own rules"
        in said(act(client, "exclude_by_rule", fast, rule="too_fast"))[0]
    )
    assert (
        "it is left out by too_fast, the study's own; that is not taken back"
        in said(act(client, "include", fast))[0]
    )
    assert Exclusion.objects.get().rule == "too_fast"
    exclude_session(fast, reason="also by hand")
    assert said(act(client, "include", fast)) == ["1 session included again."]


@pytest.mark.parametrize("state", ["created", "refused", "withdrawn"])
def test_what_has_no_answers_is_not_excluded(study: Study, client: Client, state: str) -> None:
    session = finished()
    StudySession.objects.update(state=state)
    for action, given in (("exclude", {"reason": "x"}), ("exclude_by_rule", {"rule": "too_fast"})):
        assert "1 session unchanged" in said(act(client, action, session, **given))[0]
    assert not Exclusion.objects.exists()


# Who, and with what --------------------------------------------------------------------------------------

EDITING = ["approve", "reject", "bonus", "paid", "release"]
EXCLUDING = ["exclude", "exclude_by_rule", "include"]
GIVEN = {"reason": "a reason", "amount": "1", "rule": "too_fast"}


def test_roles_decide_who_may_do_what(study: Study, subtests: pytest.Subtests) -> None:
    allowed = {
        Role.VIEWER: [],
        Role.ANALYST: EXCLUDING,
        Role.EDITOR: EDITING + EXCLUDING,
        Role.OWNER: EDITING + EXCLUDING,
    }
    for role, actions in allowed.items():
        person = logged_in(member(role, study))
        page = person.get("/admin/live/faces/").content.decode()
        for action in EDITING + EXCLUDING:
            with subtests.test(role=role, action=action):
                status = act(person, action, finished(), **GIVEN).status_code
                assert status == (302 if action in actions else 403)
                assert (f'<option value="{action}" data-needs' in page) == (action in actions)


def test_strangers_and_the_anonymous_change_nothing(study: Study) -> None:
    session = finished()
    for action in EDITING + EXCLUDING:
        assert act(logged_in(researcher(f"r-{action}")), action, session, **GIVEN).status_code == 404
        assert act(Client(), action, session, **GIVEN)["Location"].startswith("/admin/login/")
    assert logged() == []
    assert not Payment.objects.exists()


def test_a_form_of_another_site_is_refused(study: Study) -> None:
    session = finished()
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(superuser())
    assert act(careful, "approve", session).status_code == 403
    assert logged_in(member(Role.OWNER, study)).get(ACT).status_code == 405
    assert not Payment.objects.exists()


def test_sessions_of_another_study_are_not_touched(study: Study, client: Client) -> None:
    opened_study("other", n=2, n_catch=0, slug="houses")
    visitor = Visitor("houses")
    visitor.start()
    foreign = visitor.session
    StudySession.objects.filter(pk=foreign.pk).update(state="finished")
    answer = act(client, "approve", foreign, uuid.uuid4())
    [message] = said(answer)
    assert message.startswith("2 sessions (")
    assert message.endswith("): not of this study.")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessions": []}, "Sessions: Select sessions first."),
        ({"sessions": ["1; DROP TABLE"]}, "Sessions: A selected session has no id that could be one."),
        (
            {"sessions": [str(uuid.uuid4()) for _ in range(501)]},
            "Sessions: 501 sessions are selected; allowed: 500.",
        ),
        ({"action": "delete"}, "Action: Select a valid choice. delete is not one of the available choices."),
        ({"action": ""}, "Action: This field is required."),
        ({"key": "x"}, "Key: Enter a valid UUID."),
        (
            {"rule": "unfinished"},
            "Rule: Select a valid choice. unfinished is not one of the available choices.",
        ),
        ({"category": "UGLY"}, "Category: Select a valid choice. UGLY is not one of the available choices."),
        ({"amount": "1e9"}, "Amount: Ensure that there are no more than 8 digits in total."),
    ],
)
def test_a_bad_form_is_told_what_is_wrong(
    study: Study, client: Client, changes: dict[str, Any], message: str
) -> None:
    form = {"action": "approve", "sessions": [str(finished().pk)], "key": str(uuid.uuid4())}
    answer = client.post(ACT, {**form, **changes})
    assert answer.status_code == 302
    assert said(answer) == [message]
    assert not Payment.objects.exists()


def test_one_goes_back_to_the_same_page_and_nowhere_else(study: Study, client: Client) -> None:
    answer = act(client, "approve", finished(), back="sort=-rt&page=2")
    assert answer["Location"] == "/admin/live/faces/?sort=-rt&page=2"
    assert (
        act(client, "approve", finished(), back="https://evil.example/")["Location"] == "/admin/live/faces/"
    )
    assert act(client, "approve", finished(), back="sort=odd").status_code == 404


# payments.csv --------------------------------------------------------------------------------------------


def paid_study() -> Study:
    study = opened_study(n=2, n_catch=0, recruiter="prolific", base_pay=Decimal("1.20"))
    person = {"PROLIFIC_PID": "anna", "STUDY_ID": "t", "SESSION_ID": "=submission-7"}
    session = finished(recruitment=person)
    ada = logged_in(superuser())
    act(ada, "approve", session)
    act(ada, "bonus", session, amount="0.05", reason="=1+1")
    return study


def read(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode(), newline="")))


def test_owners_take_the_payments_away_with_the_recruiters_ids() -> None:
    study = paid_study()
    answer = logged_in(member(Role.OWNER, study)).get(PAY)
    assert answer["Content-Disposition"] == 'attachment; filename="faces-payments.csv"'
    base, bonus = read(answer)
    session = StudySession.objects.get()
    assert (base["session_id"], base["participant_id"]) == (str(session.pk), str(session.participant_id))
    assert [base[name] for name in ("kind", "state", "amount", "amount_minor", "currency", "decided_by")] == [
        "base", "approved", "1.2", "120", "GBP", "ada",
    ]  # fmt: skip
    assert base["recruiter_reference"] == "'=submission-7"
    assert (bonus["kind"], bonus["amount"], bonus["reason"]) == ("bonus", "0.05", "'=1+1")
    assert logged()[-1] == ("export payments", {"ids": True})


def test_nobody_else_takes_them_away() -> None:
    study = paid_study()
    n = AuditEvent.objects.count()
    for role in (Role.VIEWER, Role.ANALYST, Role.EDITOR):
        assert logged_in(member(role, study)).get(PAY).status_code == 403
    assert logged_in(researcher()).get(PAY).status_code == 404
    assert Client().get(PAY)["Location"].startswith("/admin/login/")
    assert AuditEvent.objects.count() == n


def test_without_the_full_level_no_recruiters_id_leaves() -> None:
    study = paid_study()
    Payment.objects.update(told_reason="https://api/=submission-7/ answered 400")
    text = "".join(stream_payments_csv(study, has_recruiter_ids=False))
    assert "approved" in text
    assert "submission-7" not in text


def test_totals_of_pay_are_on_the_page() -> None:
    viewer = logged_in(member(Role.VIEWER, paid_study()))
    assert "<strong>1.25 GBP</strong> approved (2)" in viewer.get("/admin/live/faces/").content.decode()
