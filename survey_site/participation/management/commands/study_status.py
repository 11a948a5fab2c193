"""python manage.py study_status [STUDY] [--json]"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from survey_site.participation.models import Mode, StudySession
from survey_site.studies.management.named import named_study
from survey_site.studies.models import Study
from survey_site.studies.readiness import missing_for_opening


class Command(BaseCommand):
    help = "How a study stands: status, version, sessions by state, and what keeps it from opening."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", nargs="?", help="slug; default: all of them, a line each")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["study"]:
            state = {**_state(named_study(options["study"])), "missing": []}
            state["missing"] = missing_for_opening(named_study(options["study"]))
            self.stdout.write(json.dumps(state) if options["json"] else _text(state))
            return
        states = [_state(study) for study in Study.objects.order_by("slug")]
        self.stdout.write(json.dumps(states) if options["json"] else "\n".join(map(_line, states)))


def _state(study: Study) -> dict[str, Any]:
    version = study.current_version
    rows = StudySession.objects.filter(study=study, mode__in=Mode.values).values_list("mode", "state")
    counts: dict[str, Counter[str]] = {mode: Counter() for mode in Mode.values}
    for mode, state in rows:
        counts[mode][state] += 1
    return {
        "slug": study.slug,
        "status": study.status,
        "version": version.number if version else None,
        "sha256": version.sha256 if version else None,
        "sessions": {mode: dict(counts[mode]) for mode in Mode.values},
    }


def _line(state: dict[str, Any]) -> str:
    version = f"v{state['version']}" if state["version"] else "never opened"
    said = [f"{sum(found.values())} {mode}" for mode, found in state["sessions"].items()]
    return f"{state['slug']}: {state['status']}, {version}, sessions: {', '.join(said)}"


def _text(state: dict[str, Any]) -> str:
    lines = [_line(state), *([f"hash: {state['sha256']}"] if state["sha256"] else [])]
    for mode, found in state["sessions"].items():
        if found:
            lines.append(f"{mode}: " + ", ".join(f"{n} {name}" for name, n in sorted(found.items())))
    missing = state["missing"]
    return "\n".join(
        [*lines, *(["missing before it can open:", *(f"  {one}" for one in missing)] if missing else [])]
    )
