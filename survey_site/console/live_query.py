"""Which sessions the live page's table lists, as its address says: searched, filtered, sorted, by pages."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from django.db.models import CharField, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import Http404, QueryDict
from django.utils.http import urlencode

from survey_site.access.roles import ExportLevel, export_level
from survey_site.analysis.models import Exclusion, SessionFlags
from survey_site.analysis.session_flags import DEFAULT_FLAGS
from survey_site.participation.models import (
    Mode,
    Payment,
    PaymentState,
    RecruiterId,
    SessionState,
    StudySession,
)
from survey_site.participation.recruitment.identity import ID_PARAMETERS
from survey_site.participation.tokens import external_id_hash
from survey_site.studies.models import Study

#: By name in the address: what is sorted by, and the column's title.
COLUMNS: dict[str, tuple[str, str]] = {
    "started": ("created_at", "Started, UTC"),
    "state": ("state", "State"),
    "minutes": ("minutes", "Minutes"),
    "answered": ("flags__answered", "Answered"),
    "catch": ("flags__catch_share", "Catch"),
    "rt": ("flags__median_rt", "Median RT"),
    "focus": ("flags__focus_lost", "Focus"),
    "flags": ("flags__n_flags", "Flags"),
    "pay": ("pay_state", "Pay"),
}
UNDECIDED = "undecided"
ANY, NONE = "any", "none"
CHOICES: dict[str, tuple[str, ...]] = {
    "mode": tuple(Mode.values),
    "sort": tuple(sign + name for name in COLUMNS for sign in ("", "-")),
    "state": ("", *SessionState.values),
    "flag": ("", ANY, NONE, *(rule.name for rule in DEFAULT_FLAGS)),
    "pay": ("", UNDECIDED, *PaymentState.values),
    "excluded": ("", "yes", "no"),
    "per": ("50", "200", "500"),
}
LONGEST_SEARCH = 100


@dataclass(frozen=True)
class Wanted:
    """The address's parameters, each one of those allowed."""

    mode: str = Mode.REAL.value
    sort: str = "-started"
    state: str = ""
    flag: str = ""
    pay: str = ""
    excluded: str = ""
    per: str = "50"
    q: str = ""
    page: str = "1"

    def address(self, **changes: str) -> str:
        """The query of the same table with changes; what is as usual is left out."""
        usual, changed = asdict(Wanted()), asdict(replace(self, **changes))
        return urlencode({name: value for name, value in changed.items() if value != usual[name]})


def wanted(given: QueryDict) -> Wanted:
    """Raises Http404 for a value that is not among those allowed; the message names both."""
    known = {field.name: str(given[field.name]) for field in fields(Wanted) if given.get(field.name)}
    for name, allowed in CHOICES.items():
        if name in known and known[name] not in allowed:
            raise Http404(f"{name} is {known[name]!r}; allowed: {', '.join(filter(None, allowed))}")
    known["q"] = known.get("q", "").strip()[:LONGEST_SEARCH].replace("\0", "")
    return Wanted(**known)


def sessions_of(study: Study, wanted: Wanted, user: Any) -> QuerySet[StudySession]:
    """The sessions with what the table shows of them, in its order."""
    base_pay = Payment.objects.base().filter(session=OuterRef("pk")).values("state")[:1]
    found = (
        StudySession.objects.filter(study=study, mode=wanted.mode)
        .annotate(
            minutes=F("finished_at") - F("consented_at"),
            pay_state=Coalesce(Subquery(base_pay), Value(""), output_field=CharField()),
        )
        .select_related("flags", "submission", "version")
        .prefetch_related(
            "payments", Prefetch("exclusions", queryset=Exclusion.objects.order_by("decided_at", "rule"))
        )
    )
    for condition in (_searched(wanted.q, study, user), *_filters(wanted)):
        found = found.filter(condition)
    return found.order_by(_order(wanted.sort), "-created_at", "pk")


def _order(sort: str) -> Any:
    column = F(COLUMNS[sort.removeprefix("-")][0])
    return column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)


def _filters(wanted: Wanted) -> list[Q]:
    flagged = SessionFlags.objects.flagged(None if wanted.flag in (ANY, NONE) else wanted.flag)
    is_flagged = Q(pk__in=flagged.values("session"))
    is_excluded = Q(pk__in=Exclusion.objects.values("session"))
    found = [Q(state=wanted.state)] if wanted.state else []
    if wanted.flag:
        found.append(~is_flagged if wanted.flag == NONE else is_flagged)
    if wanted.pay:
        found.append(Q(pay_state="" if wanted.pay == UNDECIDED else wanted.pay))
    if wanted.excluded:
        found.append(is_excluded if wanted.excluded == "yes" else ~is_excluded)
    return found


def _searched(text: str, study: Study, user: Any) -> Q:
    """The beginning of a session's or a participant's id; for owners a recruiter's whole id, too."""
    if not text:
        return Q()
    found = Q(id__startswith=text.lower()) | Q(participant__id__startswith=text.lower())
    if export_level(user, study) == ExportLevel.FULL:
        hashes = [external_id_hash(recruiter, text) for recruiter in (*ID_PARAMETERS, "single_use")]
        people = RecruiterId.objects.filter(external_id_hash__in=hashes)
        found |= Q(submission__submission_id=text) | Q(participant__in=people.values("participant"))
    return found
