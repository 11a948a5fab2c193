"""Pay: decided once for each session, refused where it makes no sense, with reason and author kept."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from survey_site.participation.models import (
    Payment,
    PaymentState,
    SessionState,
    StudySession,
    Told,
)
from survey_site.participation.services import payments
from survey_site.participation.services.payments import PaymentRefused
from survey_site.studies.models import Study
from survey_site.studies.money import MoneyError, as_text, minor_units
from survey_site.studies.services import StudyRefused, open_study, pause_study
from tests.builders import draft_study, opened_study, superuser, version_of
from tests.participation.test_allocation import at_once
from tests.participation.visitor import Visitor, response

pytestmark = pytest.mark.django_db


def finished(**start: Any) -> StudySession:
    visitor = Visitor()
    visitor.start(**start)
    visitor.consent()
    shown = visitor.presentations()
    visitor.log(*(response(seq, one) for seq, one in enumerate(shown, 1)))
    assert visitor.finish(len(shown)).json()["complete"] is True
    return visitor.session


@pytest.fixture
def study() -> Study:
    return opened_study(n=2, n_catch=0, trials_per_participant=1, base_pay=Decimal("2.50"), currency="EUR")


def refusal(act: Any, **arguments: Any) -> str:
    with pytest.raises(PaymentRefused) as refused:
        act(**arguments)
    return str(refused.value)


def test_approving_records_the_base_pay_that_the_version_froze(study: Study) -> None:
    session, ada = finished(), superuser()
    pause_study(study=study)
    Study.objects.update(base_pay=9)
    assert payments.approve(session_id=session.pk, by=ada) is True
    payment = Payment.objects.get()
    assert (payment.amount, payment.state, payment.kind) == ("2.50 EUR", "approved", "base")
    assert (payment.session, payment.study, payment.decided_by) == (session, study, ada)
    assert (payment.told, payment.recruiter) == (Told.RECORDED, "link")


def test_the_same_decision_again_changes_nothing(study: Study) -> None:
    session = finished()
    assert payments.approve(session_id=session.pk) is True
    before = Payment.objects.values().get()
    assert payments.approve(session_id=session.pk) is False
    assert Payment.objects.values().get() == before
    assert payments.reject(session_id=session.pk, reason="nothing was answered") is True
    before = Payment.objects.values().get()
    assert payments.reject(session_id=session.pk, reason=" nothing was answered ") is False
    assert Payment.objects.values().get() == before


def test_a_rejection_keeps_its_reason_and_can_be_taken_back(study: Study) -> None:
    session = finished()
    payments.reject(session_id=session.pk, reason="no answer fits", category="LOW_EFFORT")
    payment = Payment.objects.get()
    assert (payment.state, payment.reason, payment.category) == ("rejected", "no answer fits", "LOW_EFFORT")
    assert payments.reject(session_id=session.pk, reason="another reason") is True
    assert payments.approve(session_id=session.pk) is True
    payment.refresh_from_db()
    assert (payment.state, payment.reason, payment.category) == ("approved", "", "")


@pytest.mark.parametrize(("reason", "length"), [("", "0"), ("   ", "0"), ("x" * 1001, "1,001")])
def test_a_rejection_without_a_reason_or_with_too_long_a_one_is_refused(
    study: Study, reason: str, length: str
) -> None:
    session = finished()
    said = refusal(payments.reject, session_id=session.pk, reason=reason)
    assert said == f"the reason has {length} characters; allowed: 1 to 1,000, since it is kept"
    said = refusal(payments.reject, session_id=session.pk, reason="a", category="UGLY")
    assert said.startswith("category is 'UGLY'; allowed: OTHER, FAILED_CHECK")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (SessionState.CREATED, "it only opened the page"),
        (SessionState.REFUSED, "its participant did not consent"),
        (SessionState.CONSENTED, "it is still under way; wait for its end, or release its slot first"),
        (SessionState.RUNNING, "it is still under way; wait for its end, or release its slot first"),
    ],
)
def test_there_is_no_pay_for_what_has_not_come_to_an_end(study: Study, state: str, why: str) -> None:
    session = finished()
    StudySession.objects.update(state=state)
    key = uuid.uuid4()
    for act, given in (
        (payments.approve, {}),
        (payments.reject, {"reason": "slow"}),
        (payments.give_bonus, {"amount_minor": 5, "reason": "more", "request_key": key}),
        (payments.mark_paid, {}),
    ):
        assert refusal(act, session_id=session.pk, **given) == why
    assert not Payment.objects.exists()


def test_a_pilot_and_a_refused_device_are_not_paid(study: Study) -> None:
    pilot = finished(mode="pilot")
    assert refusal(payments.approve, session_id=pilot.pk) == "it is a pilot session; only real ones are paid"
    session = finished()
    StudySession.objects.filter(pk=session.pk).update(state="screened_out", screened_out_by="device")
    said = refusal(payments.approve, session_id=session.pk)
    assert said == "it was refused for its device before it began"


@pytest.mark.parametrize("state", [SessionState.DROPPED, SessionState.WITHDRAWN])
def test_who_stopped_or_withdrew_may_be_paid_and_withdrawing_is_no_reason_to_reject(
    study: Study, state: str
) -> None:
    session = finished()
    StudySession.objects.update(state=state)
    if state == SessionState.WITHDRAWN:
        said = refusal(payments.reject, session_id=session.pk, reason="left")
        assert said == "its participant withdrew, which costs nobody the pay"
    assert payments.approve(session_id=session.pk) is True


def test_what_is_paid_stays_paid(study: Study) -> None:
    session = finished()
    said = refusal(payments.mark_paid, session_id=session.pk)
    assert said == "nothing is approved that could be paid; approve it first"
    payments.approve(session_id=session.pk)
    payments.give_bonus(session_id=session.pk, amount_minor=50, reason="fast", request_key=uuid.uuid4())
    assert payments.mark_paid(session_id=session.pk) is True
    assert payments.mark_paid(session_id=session.pk) is False
    assert payments.approve(session_id=session.pk) is False
    assert refusal(payments.reject, session_id=session.pk, reason="late") == "it is paid already"
    assert set(Payment.objects.values_list("state", flat=True)) == {PaymentState.PAID}


def test_a_form_sent_twice_gives_one_bonus(study: Study) -> None:
    session, key = finished(), uuid.uuid4()
    given: dict[str, Any] = {"session_id": session.pk, "amount_minor": 75, "reason": "ten in a row"}
    assert payments.give_bonus(**given, request_key=key) is True
    assert payments.give_bonus(**given, request_key=key) is False
    assert payments.give_bonus(**given, request_key=uuid.uuid4()) is True
    assert [payment.amount for payment in Payment.objects.all()] == ["0.75 EUR", "0.75 EUR"]


@pytest.mark.parametrize("minor", [0, -5, 1_000_001])
def test_a_bonus_of_nothing_or_a_fortune_is_refused(study: Study, minor: int) -> None:
    session = finished()
    said = refusal(
        payments.give_bonus, session_id=session.pk, amount_minor=minor, reason="a", request_key=uuid.uuid4()
    )
    assert said.endswith("allowed: more than 0, at most 10000.00 EUR")
    assert not Payment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_six_who_decide_at_once_leave_one_decision(broker: object) -> None:
    opened_study(n=2, n_catch=0, trials_per_participant=1, base_pay=1)
    session, key = finished(), uuid.uuid4()

    def decide(number: int) -> bool:
        if number % 2:
            return payments.approve(session_id=session.pk)
        return payments.give_bonus(session_id=session.pk, amount_minor=5, reason="a", request_key=key)

    assert sorted(at_once(6, decide)) == [False] * 4 + [True] * 2
    assert sorted(Payment.objects.values_list("kind", flat=True)) == ["base", "bonus"]


def test_totals_are_by_currency_and_state(study: Study) -> None:
    for minor in (100, 50):
        session = finished()
        payments.approve(session_id=session.pk)
        payments.give_bonus(session_id=session.pk, amount_minor=minor, reason="a", request_key=uuid.uuid4())
    payments.mark_paid(session_id=session.pk)
    payments.reject(session_id=finished().pk, reason="empty")
    assert Payment.objects.totals() == [
        ("EUR", "approved", 2, 350),
        ("EUR", "paid", 2, 300),
        ("EUR", "rejected", 1, 250),
    ]


def test_the_books_outlive_a_session(study: Study) -> None:
    session = finished()
    payments.approve(session_id=session.pk)
    session.delete()
    payment = Payment.objects.get()
    assert (payment.study, payment.session) == (study, None)


def test_what_is_owed_does_not_lead_from_anonymised_answers_to_the_person() -> None:
    study = opened_study(
        n=2, n_catch=0, trials_per_participant=1, withdrawal="anonymise", base_pay=2, recruiter="prolific"
    )
    person = {"PROLIFIC_PID": "anna", "STUDY_ID": "t", "SESSION_ID": "s1"}
    session = finished(recruitment=person)
    payments.approve(session_id=session.pk)
    from survey_site.participation.services.withdrawal import withdraw

    withdraw(session_id=session.pk)
    payment = Payment.objects.get()
    assert payment.session is not None
    assert payment.session.state == SessionState.WITHDRAWN
    assert payment.session.pk != session.pk
    assert payment.study == study


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "base", "state": "rejected", "amount_minor": 1},
        {"kind": "bonus", "state": "approved", "amount_minor": 0, "reason": "a"},
        {"kind": "bonus", "state": "approved", "amount_minor": 5},
        {"kind": "gift", "state": "approved", "amount_minor": 5},
        {"kind": "base", "state": "lost", "amount_minor": 5},
        {"kind": "base", "state": "approved", "amount_minor": -1},
    ],
)
def test_the_database_refuses_what_no_service_writes(study: Study, fault: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(study=study, session=None, currency="EUR", recruiter="link", **fault)


# The study's pay -----------------------------------------------------------------------------------------


def test_pay_is_frozen_in_the_smallest_unit(study: Study) -> None:
    settings = version_of(study).settings
    assert (settings["base_pay_minor"], settings["currency"]) == (250, "EUR")


def test_a_study_whose_pay_cannot_be_paid_does_not_open() -> None:
    study = draft_study(n=2, base_pay=Decimal("1.50"), currency="JPY")
    with pytest.raises(StudyRefused, match=r"1\.50 JPY cannot be paid; allowed: 0 or more, with 0 digits"):
        open_study(study=study)


@pytest.mark.parametrize(
    ("amount", "currency", "minor", "text"),
    [
        ("2.50", "GBP", 250, "2.50 GBP"),
        ("0", "EUR", 0, "0.00 EUR"),
        ("120", "JPY", 120, "120 JPY"),
        ("0.01", "USD", 1, "0.01 USD"),
    ],
)
def test_amounts_in_the_smallest_unit_and_back(amount: str, currency: str, minor: int, text: str) -> None:
    assert minor_units(Decimal(amount), currency) == minor
    assert as_text(minor, currency) == text


@pytest.mark.parametrize("amount", ["0.001", "-1", "NaN", "Infinity"])
def test_amounts_that_cannot_be_paid_are_named(amount: str) -> None:
    with pytest.raises(MoneyError, match="cannot be paid; allowed: 0 or more, with 2 digits"):
        minor_units(Decimal(amount), "GBP")
    with pytest.raises(MoneyError, match="currency is 'XXX'; allowed: GBP, EUR"):
        minor_units(Decimal(1), "XXX")
