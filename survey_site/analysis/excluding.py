"""A researcher leaves single sessions out after the study has opened, or takes that back.

Answers stay, and figures are always shown with and without. Each function decides about one session and says
whether anything changed; what makes no sense raises ExclusionRefused with the reason.
"""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from survey_site.analysis.exclusion_services import exclude_session, include_session
from survey_site.analysis.models import Exclusion
from survey_site.analysis.session_flags import facts_of, flag_rules
from survey_site.participation.models import SessionState, StudySession
from survey_site.studies.exclusion_rules import Researcher

LONGEST_REASON = 300
NO_ANSWERS = {
    SessionState.CREATED: "it only opened the page, so nothing of it is counted",
    SessionState.REFUSED: "its participant did not consent, so nothing of it is counted",
    SessionState.WITHDRAWN: "its participant withdrew, and its answers are gone",
}


class ExclusionRefused(Exception):
    """A session that cannot be left out, or taken back, in this way; the message says why."""


@transaction.atomic
def exclude_by_hand(*, session_id: UUID, reason: str) -> bool:
    """For a reason of the researcher's own, which is part of the report."""
    reason = reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ExclusionRefused(
            f"the reason has {len(reason):,} characters; allowed: 1 to {LONGEST_REASON}, since it is reported"
        )
    session = _locked(session_id)
    if _own(session) == reason:
        return False
    exclude_session(session, reason=reason)
    return True


@transaction.atomic
def exclude_by_rule(*, session_id: UUID, rule: str) -> bool:
    """If the rule, with the version's thresholds or the usual ones, speaks against the session."""
    session = _locked(session_id)
    if rule in {own.name for own in session.version.exclusion_rules}:
        raise ExclusionRefused(
            f"{rule} is one of the study's own rules, which leaves sessions out by itself and the others in"
        )
    rules = {one.name: one for one in flag_rules(session.version)}
    if rule not in rules:
        raise ExclusionRefused(f"rule is {rule!r}; allowed: {', '.join(rules)}")
    spoken = rules[rule].reason_against(facts_of([session])[str(session.pk)])
    if spoken is None:
        raise ExclusionRefused(f"{rule} does not speak against it")
    if _own(session):
        return False
    exclude_session(session, reason=f"{rule}, chosen after opening: {spoken}"[:LONGEST_REASON])
    return True


@transaction.atomic
def include_again(*, session_id: UUID) -> bool:
    """Take a researcher's decision back; those of the study's own rules stand."""
    session = _locked(session_id)
    if _own(session):
        include_session(session)
        return True
    rules = session.exclusions.values_list("rule", flat=True)
    if rules:
        raise ExclusionRefused(
            f"it is left out by {', '.join(rules)}, the study's own; that is not taken back for one session"
        )
    return False


def _locked(session_id: UUID) -> StudySession:
    session = (
        StudySession.objects.select_for_update(of=("self",)).select_related("version").get(pk=session_id)
    )
    if reason := NO_ANSWERS.get(SessionState(session.state)):
        raise ExclusionRefused(reason)
    return session


def _own(session: StudySession) -> str:
    """The researcher's reason against it, or nothing."""
    own = Exclusion.objects.filter(session=session, rule=Researcher.name)
    return own.values_list("reason", flat=True).first() or ""
