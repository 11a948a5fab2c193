"""Holding a study's sessions to the exclusion rules that their versions froze."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.db import connection, transaction
from django.db.models import Count

from survey_site.analysis.exclusions import Verdict, decide
from survey_site.analysis.models import Exclusion
from survey_site.analysis.responses import ResponseRow, session_facts
from survey_site.participation.models import Presentation, SessionState, StudySession
from survey_site.studies.exclusion_rules import Researcher, Rule, SessionFacts
from survey_site.studies.models import Study, TrialKind

#: First key of the advisory lock under which one study's verdicts are replaced; the second is the study.
VERDICTS_LOCK = 0x1F15


@dataclass(frozen=True)
class Decision:
    """Verdicts against the sessions that answered, and the rules of each version that led to them.

    version_of: every such session's version number. rules_by_version: of those versions, in order.
    """

    verdicts: list[Verdict]
    version_of: Mapping[str, int]
    rules_by_version: Mapping[int, list[Rule]]

    @property
    def rules(self) -> list[Rule]:
        """Of the newest version, then those that only earlier versions have."""
        found: dict[str, Rule] = {}
        for number in sorted(self.rules_by_version, reverse=True):
            for rule in self.rules_by_version[number]:
                found.setdefault(rule.name, rule)
        own = found.pop(Researcher.name, None)
        return [*found.values(), *([own] if own else [])]

    def rule_against(self, verdict: Verdict) -> Rule:
        """With the settings of the session's version."""
        rules = self.rules_by_version[self.version_of[verdict.session]]
        return next(rule for rule in rules if rule.name == verdict.rule)


def exclude_session(session: StudySession, *, reason: str) -> Exclusion:
    """Leave one session out by a researcher's own decision; a reason is required. Again: replaces it."""
    Researcher(reasons={str(session.pk): reason})
    exclusion, _ = Exclusion.objects.update_or_create(
        session=session,
        rule=Researcher.name,
        defaults={"version": Researcher.version, "reason": reason},
    )
    return exclusion


def include_session(session: StudySession) -> None:
    """Take back a researcher's own decision; what other rules say stays."""
    session.exclusions.filter(rule=Researcher.name).delete()


def decide_sessions(
    study: Study, mode: str, rows: Sequence[ResponseRow], *, instead: Sequence[Rule] | None = None
) -> Decision:
    """Hold the sessions in `rows`, all of the study and mode in the order shown, to their versions' rules.

    The researcher's own decisions are one more rule, the last. `instead` are rules that take the place of
    the frozen ones, to see what they would do. Nothing is saved.
    """
    own = _own_decisions(study, mode)
    last = [Researcher(reasons=own)] if own else []
    version_of, by_version = _versions(study, mode), dict[int, list[SessionFacts]]()
    for facts in session_facts(
        rows, expected=_expected(study, mode), unfinished=unfinished_sessions(study, mode)
    ):
        by_version.setdefault(version_of[facts.session], []).append(facts)
    frozen = {version.number: version.exclusion_rules for version in study.versions.all()}
    rules = {
        number: [*(frozen[number] if instead is None else instead), *last] for number in sorted(by_version)
    }
    return Decision(
        verdicts=[verdict for number, held in rules.items() for verdict in decide(by_version[number], held)],
        version_of={facts.session: number for number in rules for facts in by_version[number]},
        rules_by_version=rules,
    )


@transaction.atomic
def save_verdicts(study: Study, mode: str, decision: Decision) -> None:
    """Replace what the rules said before; the researcher's own decisions are kept."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [VERDICTS_LOCK, study.pk])
    Exclusion.objects.of_study(study, mode).exclude(rule=Researcher.name).delete()
    Exclusion.objects.bulk_create(
        [
            Exclusion(
                session_id=verdict.session,
                rule=verdict.rule,
                version=verdict.version,
                settings=asdict(decision.rule_against(verdict)),
                reason=verdict.reason,
            )
            for verdict in decision.verdicts
            if verdict.rule != Researcher.name
        ]
    )


def _own_decisions(study: Study, mode: str) -> dict[str, str]:
    own = Exclusion.objects.of_study(study, mode).filter(rule=Researcher.name).order_by("session")
    return {str(session): reason for session, reason in own.values_list("session_id", "reason")}


def _expected(study: Study, mode: str) -> dict[str, int]:
    """Main presentations per session; one asked again after an interruption is one presentation."""
    shown = Presentation.objects.filter(session__study=study, session__mode=mode, trial__kind=TrialKind.MAIN)
    counts = shown.order_by().values_list("session_id").annotate(n=Count("pk"))
    return {str(session): n for session, n in counts}


def unfinished_sessions(study: Study, mode: str) -> set[str]:
    """Those that have not come to their end, whatever they answered."""
    sessions = StudySession.objects.filter(study=study, mode=mode).exclude(state=SessionState.FINISHED)
    return {str(session) for session in sessions.values_list("pk", flat=True)}


def _versions(study: Study, mode: str) -> dict[str, int]:
    """Number of the version that each session ran."""
    sessions = StudySession.objects.filter(study=study, mode=mode)
    return {str(session): number for session, number in sessions.values_list("pk", "version__number")}
