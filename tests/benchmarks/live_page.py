"""The live page of a large study: python -m tests.benchmarks.live_page --json FILE.

Fills an embedded database of its own, flags its sessions as the housekeeping worker does, and then asks for
the page, its two polled parts and orders of its table as a logged-in researcher, through the whole of Django
but without a web server. The study's sessions are spread over a day.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import uuid
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from tests.benchmarks.own_site import own_site

ASKED = 20
#: What is asked for, by name: the query, and the part that a poll names.
ASKS = {
    "page": ("", ""),
    "figures": ("", "figures"),
    "table": ("", "table"),
    "table_by_flags": ("?sort=-flags", "table"),
    "table_by_catch": ("?sort=catch&page=50", "table"),
    "table_flagged": ("?flag=too_fast", "table"),
    "table_by_pay": ("?sort=-pay", "table"),
    "table_searched": ("?q=abc", "table"),
    "table_of_500": ("?per=500", "table"),
}
SPREAD = (
    "UPDATE participation_studysession SET slot = 0, created_at = now() - random() * interval '1 day'",
    "UPDATE participation_studysession SET consented_at = created_at, "
    "last_seen_at = created_at + interval '9 minutes'",
    "UPDATE participation_studysession SET finished_at = last_seen_at WHERE state = 'finished'",
    "UPDATE participation_logentry AS entry SET received_at = session.created_at + random() * interval "
    "'9 minutes' FROM participation_studysession AS session WHERE session.id = entry.session_id",
    "ANALYZE participation_studysession, participation_logentry",
)


def measure(*, participants: int, items: int) -> dict[str, Any]:
    """Seconds of flagging, milliseconds of asking and acting."""
    from django.db import connection
    from django.db.models.functions import Now

    from survey_site.analysis.session_flags import refresh_flags
    from survey_site.participation.models import Response, StudySession
    from tests.benchmarks.filled_study import filled_study

    study = filled_study(participants=participants, items=items)
    with connection.cursor() as cursor:
        for statement in SPREAD:
            cursor.execute(statement)
    flagging, n = _timed(lambda: sum(iter(refresh_flags, 0)))
    assert n == participants
    moved = StudySession.objects.order_by("?").values("pk")[:50]
    StudySession.objects.filter(pk__in=list(moved.values_list("pk", flat=True))).update(last_seen_at=Now())
    moving, n = _timed(refresh_flags)
    assert n == 50
    idle, _ = _timed(refresh_flags)
    return {
        "sessions": participants,
        "responses": Response.objects.count(),
        "seconds": {"flagging_all": flagging, "flagging_50_that_moved": moving, "finding_none": idle},
        "ms": _asked(study.slug),
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }


def _asked(slug: str) -> dict[str, Any]:
    from django.contrib.auth.models import User
    from django.test import Client

    from survey_site.participation.models import StudySession

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("ada"))
    address, found = f"/admin/live/{slug}/", dict[str, Any]()
    client.get(address)
    for name, (query, part) in ASKS.items():
        times = [_ask(client, address + query, part) for _ in range(ASKED)]
        found[name] = {"median": statistics.median(times), "largest": max(times)}
    keys = StudySession.objects.filter(state="finished").values_list("pk", flat=True)[:200]
    form = {"action": "approve", "sessions": list(keys), "key": uuid.uuid4()}
    seconds, answer = _timed(lambda: client.post(f"{address}act/", form))
    assert answer.status_code == 302
    return {**found, "approving_200": 1000 * seconds}


def _ask(client: Any, address: str, part: str) -> float:
    seconds, answer = _timed(lambda: client.get(address, headers={"X-Live": part}))
    assert answer.status_code == 200
    return 1000 * seconds


def _timed(work: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to")
    parser.add_argument("--participants", type=int, default=5000)
    parser.add_argument("--items", type=int, default=100)
    arguments = parser.parse_args()
    with own_site("live"):
        figures = measure(participants=arguments.participants, items=arguments.items)
    text = json.dumps(figures, indent=2) + "\n"
    if arguments.json:
        arguments.json.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
