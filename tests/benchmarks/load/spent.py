"""Which processes serve a lab's site."""

from __future__ import annotations

from pathlib import Path

from tests.lab import Lab


def web_and_database(lab: Lab) -> tuple[list[int], list[int]]:
    """Process ids of the web server and of the embedded database, each with its children; none of a
    database that does not run in the lab's own folder.
    """
    file = lab.servers.var_dir / "embedded" / "postgres.pid"
    postmaster = [int(file.read_text().split()[0])] if file.exists() else []
    return _with_children([process.pid for process in lab.processes]), _with_children(postmaster)


def _with_children(leaders: list[int]) -> list[int]:
    words = [Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in leaders]
    return [*leaders, *(int(word) for some in words for word in some)]
