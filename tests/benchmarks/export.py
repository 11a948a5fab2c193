"""The export of a million responses: python -m tests.benchmarks.export --json FILE (or make bench-export).

Fills an embedded database of its own and takes the long file through the whole of Django, as the export page
sends it, and then the other formats; each in a process of its own, whose memory is measured from after an
empty export to the end. In the same run django-import-export makes the first rows of the same file, in steps
that show that its time grows with their number; what it would take for all of them is then that of the
largest step, row by row. `--peer-rows all` lets it make the whole file: half an hour and gigabytes.
"""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from typing import Any

PEER_STEPS = (0.25, 0.5, 1.0)
OTHERS = ("wide.csv", "responses.parquet", "psych-ds.zip")
COMPARED = 2000


def export_of(name: str) -> dict[str, Any]:
    """Seconds to the header, to the first rows and to the end, size, and memory added, of one export."""
    from django.contrib.auth.models import User
    from django.test import Client

    user, _ = User.objects.get_or_create(username="ada", is_superuser=True, is_staff=True)
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    # Everything is imported, and every page of the database's connection is touched, before it counts.
    for _ in client.get(f"/admin/export/large/{name}", {"until": "2000-01-01"}).streaming_content:  # type: ignore[attr-defined]
        pass
    before, start = memory_mb(), time.perf_counter()
    parts = client.get(f"/admin/export/large/{name}").streaming_content  # type: ignore[attr-defined]
    moments: list[float] = []
    size = 0
    for part in parts:
        if len(moments) < 2:
            moments.append(time.perf_counter() - start)
        size += len(part)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "first_byte": moments[0],
        "first_rows": moments[-1],
        "megabytes": size / 1e6,
        "memory_added_mb": memory_mb() - before,
        "database_mb": database_memory_mb(),
    }


def peer_of(rows: int) -> dict[str, Any]:
    """django-import-export's seconds for the first `rows` responses, and whether it says what we say."""
    from tests.benchmarks.import_export_peer import peer_csv

    before, start = memory_mb(), time.perf_counter()
    text = peer_csv(rows)
    seconds = time.perf_counter() - start
    return {
        "rows": rows,
        "seconds": seconds,
        "microseconds_per_row": 1e6 * seconds / rows,
        "memory_added_mb": memory_mb() - before,
        "differences": differences(text),
    }


def differences(text: str) -> int:
    """Cells of the first rows that differ from ours, of those that both write in the same form."""
    from survey_site.analysis.exporting.copying import responses_csv
    from survey_site.analysis.exporting.selection import Selection
    from survey_site.analysis.response_columns import RESPONSE_COLUMNS
    from survey_site.studies.models import Study

    lines = responses_csv(Selection(Study.objects.get(slug="large")), lambda done, total: None)
    next(lines)
    ours = csv.reader(io.StringIO(next(lines).decode(), newline=""))
    theirs = islice(csv.reader(io.StringIO(text, newline="")), 1, COMPARED)
    alike = [place for place, one in enumerate(RESPONSE_COLUMNS) if one.type in ("text", "id", "integer")]
    return sum(
        row[place] != other[place] for row, other in zip(ours, theirs, strict=False) for place in alike
    )


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def database_memory_mb() -> float | None:
    """What the server's process of this connection holds by itself, where it can be seen."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        status = Path(f"/proc/{cursor.fetchone()[0]}/status")
    if not status.exists():
        return None
    facts = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(facts["RssAnon"].split()[0]) / 1024


def measure(*, participants: int, items: int, peer_rows: str) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command

    from survey_site.participation.models import Response
    from tests.benchmarks.filled_study import filled_study

    call_command("migrate", verbosity=0)
    filled_study(participants=participants, items=items)
    rows = Response.objects.count()
    most = rows if peer_rows == "all" else min(int(peer_rows), rows)
    ours = apart("export", "responses.csv")
    peer = [apart("peer", str(int(most * step))) for step in PEER_STEPS]
    per_row = peer[-1]["seconds"] / peer[-1]["rows"]
    return {
        "responses": rows,
        "responses.csv": ours,
        "peer": peer,
        "peer_is_linear": peer[-1]["microseconds_per_row"] / peer[0]["microseconds_per_row"],
        "ratio": per_row * rows / ours["seconds"],
        **{name: apart("export", name) for name in OTHERS},
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }


def apart(what: str, argument: str) -> dict[str, Any]:
    """Measured in a process of its own."""
    words = [sys.executable, "-m", "tests.benchmarks.export", "--only", what, argument]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stderr.write(f"{what} {argument}: {found['seconds']:.2f} s\n")
    return found


def summary(found: dict[str, Any]) -> str:
    ours, peer = found["responses.csv"], found["peer"]
    steps = ", ".join(f"{one['microseconds_per_row']:.0f} µs a row at {one['rows']:,}" for one in peer)
    lines = [
        f"{found['responses']:,} responses: {ours['seconds']:.1f} s, {ours['megabytes']:.0f} MB",
        f"ratio: {found['ratio']:.0f} times as fast as django-import-export ({steps})",
        f"first byte: {1000 * ours['first_byte']:.0f} ms, first rows: {1000 * ours['first_rows']:.0f} ms",
        f"peak memory: {ours['memory_added_mb']:.1f} MB added (django-import-export: "
        f"{peer[-1]['memory_added_mb']:.0f} MB for {peer[-1]['rows']:,} rows)",
        *(
            f"{name}: {found[name]['seconds']:.1f} s, {found[name]['megabytes']:.0f} MB, "
            f"{found[name]['memory_added_mb']:.1f} MB of memory added"
            for name in OTHERS
        ),
        f"cells that differ among the first {COMPARED:,} rows: {peer[-1]['differences']}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to")
    parser.add_argument("--participants", type=int, default=2000)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--peer-rows", default="100000", help="rows of the largest step, or all")
    parser.add_argument("--only", nargs=2, help="one measurement, in a database that is filled")
    arguments = parser.parse_args()
    if arguments.only:
        import django

        django.setup()
        what, argument = arguments.only
        sys.stdout.write(json.dumps(export_of(argument) if what == "export" else peer_of(int(argument))))
        return
    from survey_site.stack.embedded import EmbeddedServers

    folder = Path(tempfile.mkdtemp(prefix="irisurvey-export-"))
    servers = EmbeddedServers(folder)
    connection = servers.start()
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "survey_site.settings",
        "DATABASE_URL": connection.database_url,
        "CELERY_BROKER_URL": connection.broker_url,
        "VAR_DIR": str(folder),
        "SECRET_KEY": "a key for a benchmark",
    }
    try:
        found = measure(
            participants=arguments.participants, items=arguments.items, peer_rows=arguments.peer_rows
        )
    finally:
        servers.stop()
        shutil.rmtree(folder)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    sys.stdout.write(summary(found))


if __name__ == "__main__":
    main()
