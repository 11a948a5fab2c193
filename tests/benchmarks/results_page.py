"""The results page of a million responses: python -m tests.benchmarks.results_page --json FILE.

Fills an embedded database of its own, computes the results once as the housekeeping worker does, and then
asks for the page and for its live part as a logged-in researcher, through the whole of Django but without a
web server.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

ASKED = 50


def measure(*, participants: int, items: int) -> dict[str, Any]:
    """Times in seconds and milliseconds, and the peak memory of this process, which fills and computes."""
    import django

    django.setup()
    from django.core.management import call_command

    from survey_site.analysis.results import compute_results, current_marks
    from survey_site.participation.models import Response
    from tests.benchmarks.filled_study import filled_study

    call_command("migrate", verbosity=0)
    filling, study = _timed(lambda: filled_study(participants=participants, items=items))
    computing, results = _timed(lambda: compute_results(study, "real"))
    marking, _ = _timed(current_marks)
    return {
        "responses": Response.objects.count(),
        "participants": participants,
        "items": items,
        "seconds": {"filling": filling, "computing_in_the_background": computing, "marks": marking},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "scores": len(results.report["scores"]),
        "page_ms": _asked(study.slug),
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }


def _asked(slug: str) -> dict[str, Any]:
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("ada"))
    found: dict[str, Any] = {}
    address = f"/admin/results/{slug}/"
    client.get(address)
    for name, headers in (("page", {}), ("live_part", {"X-Live": "1"})):
        times = []
        for _ in range(ASKED):
            seconds, answer = _timed(lambda headers=headers: client.get(address, headers=headers))
            assert answer.status_code == 200
            times.append(1000 * seconds)
        found[name] = {
            "median": statistics.median(times),
            "largest": max(times),
            "kb": len(answer.content) / 1024,
        }
    return found


def _timed(work: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to")
    parser.add_argument("--participants", type=int, default=2000)
    parser.add_argument("--items", type=int, default=500)
    arguments = parser.parse_args()
    from survey_site.stack.embedded import EmbeddedServers

    folder = Path(tempfile.mkdtemp(prefix="irisurvey-results-"))
    servers = EmbeddedServers(folder)
    connection = servers.start()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "survey_site.settings",
        "DATABASE_URL": connection.database_url,
        "CELERY_BROKER_URL": connection.broker_url,
        "VAR_DIR": str(folder),
        "SECRET_KEY": "a key for a benchmark",
        "DEBUG": "1",  # static files as they are, so that none need be collected
    }
    try:
        text = (
            json.dumps(measure(participants=arguments.participants, items=arguments.items), indent=2) + "\n"
        )
    finally:
        servers.stop()
        shutil.rmtree(folder)
    if arguments.json:
        arguments.json.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
