"""The live page's table of sessions: a page of rows, in the words that it shows."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.urls import reverse

from survey_site.analysis.session_flags import DEFAULT_FLAGS, flag_rules
from survey_site.console.live_query import CHOICES, COLUMNS, Wanted, sessions_of
from survey_site.participation.admin import STATE_COLOURS
from survey_site.participation.models import Payment, PaymentState, SessionState, StudySession, Told
from survey_site.studies.exclusion_rules import Researcher
from survey_site.studies.models import Study, StudyVersion

FLAG_NAMES = {
    "too_fast": "too fast",
    "side_bias": "side bias",
    "straight_lining": "straight-lining",
    "catch_rate": "failed catches",
    "focus_loss": "focus loss",
}
PAY_COLOURS = {
    PaymentState.APPROVED: "success",
    PaymentState.PAID: "success",
    PaymentState.REJECTED: "danger",
}


def table_of(study: Study, wanted: Wanted, user: Any) -> dict[str, Any]:
    """Rows of the wanted page, and the addresses of the others."""
    paginator = Paginator(sessions_of(study, wanted, user), int(wanted.per))
    page = paginator.get_page(wanted.page)
    return {
        "wanted": wanted,
        "columns": [_column(name, wanted) for name in COLUMNS],
        "rows": [_row(session) for session in page],
        "page": page,
        "n_sessions": paginator.count,
        "previous": wanted.address(page=str(page.previous_page_number())) if page.has_previous() else None,
        "next": wanted.address(page=str(page.next_page_number())) if page.has_next() else None,
    }


def filters_of(wanted: Wanted) -> list[dict[str, Any]]:
    """The table's selects: name, label and options."""
    labels = {
        "state": ("Any state", dict(SessionState.choices)),
        "flag": ("Flagged or not", {"any": "Any flag", "none": "No flag", **_capitalised(FLAG_NAMES)}),
        "pay": ("Any pay", {"undecided": "Undecided", **dict(PaymentState.choices)}),
        "excluded": ("Excluded or not", {"yes": "Excluded", "no": "Not excluded"}),
        "per": ("", {one: f"{one} a page" for one in CHOICES["per"]}),
    }
    return [
        {
            "name": name,
            "options": [
                (value, words.get(value, all_of_them), value == getattr(wanted, name))
                for value in CHOICES[name]
            ],
        }
        for name, (all_of_them, words) in labels.items()
    ]


def thresholds_of(version: StudyVersion | None) -> list[dict[str, Any]]:
    """What each flag means for sessions of the version, and whether the study said so itself."""
    own = {rule.name for rule in version.exclusion_rules} if version else set()
    rules = flag_rules(version) if version else list(DEFAULT_FLAGS)
    return [
        {
            "name": FLAG_NAMES[rule.name],
            "rule": rule.name,
            "meaning": _meaning(rule),
            "is_own": rule.name in own,
        }
        for rule in rules
    ]


def _meaning(rule: Any) -> str:
    return {
        "too_fast": lambda: f"more than {100 * rule.share:g} % of answers before {rule.minimum_ms:g} ms",
        "side_bias": lambda: (
            f"one place chosen in more than {100 * rule.maximum:g} % of {rule.at_least} answers or more"
        ),
        "straight_lining": lambda: f"the same place {rule.longest} times in a row or more",
        "catch_rate": lambda: f"fewer than {100 * rule.minimum:g} % of catch trials right",
        "focus_loss": lambda: f"the page lost focus more than {rule.maximum} times during trials",
    }[rule.name]()


def _capitalised(names: dict[str, str]) -> dict[str, str]:
    return {name: text.capitalize() for name, text in names.items()}


def _column(name: str, wanted: Wanted) -> dict[str, Any]:
    """Clicking sorts by it, the largest first; again, the other way round."""
    is_down, is_up = wanted.sort == f"-{name}", wanted.sort == name
    return {
        "title": COLUMNS[name][1],
        "address": wanted.address(sort=name if is_down else f"-{name}", page="1"),
        "sorted": "descending" if is_down else "ascending" if is_up else "",
    }


def _row(session: Any) -> dict[str, Any]:
    flags = getattr(session, "flags", None)
    return {
        "session": session,
        "address": reverse("admin:participation_studysession_change", args=[session.pk]),
        "state": _state(session),
        "colour": STATE_COLOURS.get(session.state, ""),
        "minutes": session.minutes.total_seconds() / 60 if session.minutes else None,
        "facts": flags,
        "flags": [
            {"name": FLAG_NAMES[flag["rule"]], "reason": flag["reason"]}
            for flag in (flags.flags if flags else [])
        ],
        "exclusions": [
            {"name": "by hand" if one.rule == Researcher.name else one.rule, "reason": one.reason}
            for one in session.exclusions.all()
        ],
        "pay": [_payment(payment) for payment in session.payments.all()],
        "status": session.submission.status if hasattr(session, "submission") else "",
    }


def _state(session: StudySession) -> str:
    label = SessionState(session.state).label
    return f"{label}: {session.screened_out_by}" if session.screened_out_by else label


def _payment(payment: Payment) -> dict[str, str]:
    kind = "bonus " if payment.kind == "bonus" else ""
    amount = f" {payment.amount}" if payment.amount_minor else ""
    told = "" if payment.told == Told.RECORDED else Told(payment.told).label.lower()
    return {
        "text": f"{kind}{payment.get_state_display().lower()}{amount}",
        "colour": PAY_COLOURS[PaymentState(payment.state)],
        "told": told,
        "why": payment.told_reason or payment.reason,
    }
