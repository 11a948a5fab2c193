"""Who is left out of the scores and why: sessions held to rules, and counts for a flow chart. Pure Python.

    >>> from survey_site.studies.exclusion_rules import CatchRate
    >>> facts = SessionFacts(session="s1", catch_right=1, catch_answered=4)
    >>> [verdict] = decide([facts], [CatchRate(minimum=0.75)])
    >>> verdict.rule, verdict.reason
    ('catch_rate', '1 of 4 catch trials right (25 %), fewer than 75 %')

Rules are decided per session, before any score is seen, and figures are always reported with and without
them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from survey_site.studies.exclusion_rules import Rule, SessionFacts, refuse_twice


@dataclass(frozen=True)
class Verdict:
    """One rule's decision against one session; `reason` is a sentence for people."""

    session: str
    rule: str
    version: int
    reason: str


def decide(sessions: Iterable[SessionFacts], rules: Sequence[Rule]) -> list[Verdict]:
    """Every rule's verdict against every session, in the order of sessions, then of rules.

    A session that several rules leave out has several verdicts; the first counts in the flow.
    """
    refuse_twice(rules)
    return [
        Verdict(facts.session, rule.name, rule.version, reason)
        for facts in sessions
        for rule in rules
        if (reason := rule.reason_against(facts)) is not None
    ]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Who was left out, as in a CONSORT flow chart (Schulz et al. 2010): counts of sessions.

    by_rule: sessions whose first verdict was the rule's, in the order of the rules, so that the counts add
    up; any_rule: sessions against which the rule spoke at all.
    """

    assessed: int
    by_rule: Mapping[str, int]
    any_rule: Mapping[str, int]
    kept: int


def flow(sessions: Sequence[str], verdicts: Sequence[Verdict], rules: Sequence[Rule]) -> Flow:
    """Counts for the flow chart; `sessions` are all that were assessed."""
    first: dict[str, str] = {}
    for verdict in verdicts:
        first.setdefault(verdict.session, verdict.rule)
    firsts = Counter(first.values())
    spoken = Counter(rule for _, rule in {(verdict.session, verdict.rule) for verdict in verdicts})
    names = [rule.name for rule in rules]
    return Flow(
        assessed=len(sessions),
        by_rule={name: firsts[name] for name in names},
        any_rule={name: spoken[name] for name in names},
        kept=len(sessions) - len(first),
    )
