"""What is stored against what was said: every acknowledged answer once, as it was given, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.benchmarks.load.bots import Said
from tests.lab import Lab

STORED = """
SELECT p.session_id::text, e.seq, p.id::text, o.index, p.option_order, r.rt_raw_ms,
    e.payload->>'presentation', (e.payload->'answers'->0->>'option')::int, (e.payload->>'rt_raw_ms')::float8
FROM participation_response r
JOIN participation_presentation p ON p.id = r.presentation_id
JOIN participation_logentry e ON e.id = r.entry_id AND e.session_id = p.session_id
JOIN studies_trialoption o ON o.id = r.option_id
WHERE p.session_id = ANY(%s::uuid[])
"""
UNANSWERING = """
SELECT count(*) FROM participation_logentry e
WHERE e.session_id = ANY(%s::uuid[]) AND e.kind = 'response'
AND NOT EXISTS (SELECT FROM participation_response r WHERE r.entry_id = e.id)
"""


@dataclass(frozen=True)
class Difference:
    """Answers that were acknowledged and are not stored; rows beyond one an answer, or that nobody said."""

    lost: int
    doubled: int


def compare(lab: Lab, said: Iterable[Said]) -> Difference:
    wanted = Counter(said)
    sessions = sorted({one.session for one in wanted})
    stored = Counter(_rows(lab, sessions))
    return Difference(
        lost=(wanted - stored).total(),
        doubled=(stored - wanted).total() + int(lab.value(UNANSWERING, sessions)),
    )


def _rows(lab: Lab, sessions: list[str]) -> Iterator[Said]:
    """The option at its place in the order shown; an answer whose row and log entry differ is nobody's."""
    for session, seq, presentation, option, order, rt, *logged in lab.rows(STORED, sessions):
        shown = order.index(option)
        agrees = logged == [presentation, shown, rt]
        yield Said(session, seq, presentation, shown if agrees else -1, rt)
