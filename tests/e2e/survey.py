"""Studies of IRIs that nobody computed, on a real web server: what participants meet, without a worker.

Run as `python -m tests.e2e.survey '<JSON>'` in a lab's environment it makes open studies; their settings are
those of `tests.builders.opened_study`, `condition`, `labels`, `questions` and `texts` are those of its
conditions, targets, questionnaire and texts.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from survey_site.stack.processes import serves
from tests.lab import Lab

START_SECONDS = 120.0


class SurveySite:
    """A lab whose web server runs as the stack runs it; studies are made in a process of their own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def start(self) -> None:
        self.lab.succeed("migrate", "--verbosity", "0")
        self.lab.succeed("collectstatic", "--noinput", "--verbosity", "0")
        port = str(self.lab.servers.port)
        self.lab.start(
            *("web", "-m", "gunicorn", "survey_site.wsgi", "-c", "python:survey_site.gunicorn_settings"),
            *("--bind", f"127.0.0.1:{port}", "--workers", "2"),
        )
        self.lab.wait(
            lambda: serves(self.lab.servers.port), START_SECONDS, what="the web server starts", log="web"
        )

    def open_studies(self, prefix: str = "study", /, **studies: dict[str, Any]) -> dict[str, str]:
        """By name the paths of the new studies' participant pages; underscores become hyphens in slugs."""
        slugs = {name: f"{prefix}-{name.replace('_', '-')}" for name in studies}
        wanted = [{"slug": slugs[name], **settings} for name, settings in studies.items()]
        self.lab.run_module("tests.e2e.survey", json.dumps(wanted))
        return {name: f"/s/{slug}/" for name, slug in slugs.items()}


def make_study(
    slug: str,
    *,
    n: int = 4,
    condition: Any = None,
    labels: Any = None,
    questions: Any = (),
    texts: Any = None,
    **settings: Any,
) -> None:
    from survey_site.stimuli.models import TargetImage
    from survey_site.studies.services import open_study
    from tests.builders import draft_study, icon_image_of

    study = draft_study(slug, n=n, slug=slug, **settings)
    study.texts.update(**(texts or {}))
    for row in study.conditions.all():
        for name, value in (condition or {}).items():
            setattr(row, name, value)
        row.save()
        for number, target in enumerate(TargetImage.objects.filter(image_set=row.image_set).order_by("name")):
            target.label = labels[number % len(labels)] if labels else ""
            target.save()
    for position, question in enumerate(questions):
        study.questions.create(position=position, **question)
    for label in (labels or [])[:1]:
        study.icons.create(label=label, image=icon_image_of(label))
    open_study(study=study)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey_site.settings")
    import django

    django.setup()
    for wanted in json.loads(sys.argv[1]):
        make_study(**wanted)
