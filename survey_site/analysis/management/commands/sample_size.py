"""python manage.py sample_size STUDY --condition SLUG [--items 30] [--power 0.9]"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.response_rows import response_rows
from survey_site.analysis.responses import answer_table
from survey_site.analysis.sample_size import SampleSize, effects_of_pilot, required_participants
from survey_site.participation.models import Mode
from survey_site.studies.models import Study


class Command(BaseCommand):
    help = (
        "How many participants a study needs, by simulating studies with the effects of participants and "
        "items that the mixed model finds in the answers so far (a pilot's, unless --mode says otherwise)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--condition", required=True, help="slug of the condition whose score is planned")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.PILOT, help="default: pilot")
        parser.add_argument("--items", type=int, help="trials of the condition; default: as many as now")
        parser.add_argument("--power", type=float, default=0.9, help="share of studies that find it")
        parser.add_argument("--against", type=float, help="the share to differ from; default: chance")
        parser.add_argument("--simulations", type=int, default=1000, help="studies per size; default: 1000")
        parser.add_argument("--rng-seed", type=int, default=2023)
        parser.add_argument("--json", action="store_true", help="print everything as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"]).first()
        if study is None:
            known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
            raise CommandError(f"no study has the slug {options['study']!r}; studies: {known}")
        table = answer_table(row for row in response_rows(study, options["mode"]) if not row.excluded_by)
        try:
            found = self.simulated(table, study, options)
        except ScoringError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(asdict(found), indent=2) if options["json"] else in_words(found))

    def simulated(self, table: AnswerTable, study: Study, options: dict[str, Any]) -> SampleSize:
        slug = options["condition"]
        cells = table.cells(slug)
        return required_participants(
            effects_of_pilot(table, slug),
            items=options["items"] or cells.answers.shape[1],
            power=options["power"],
            against=options["against"] or study.conditions.get(slug=slug).chance,
            n_simulations=options["simulations"],
            rng_seed=options["rng_seed"],
        )


def in_words(found: SampleSize) -> str:
    """A line per size tried, and the answer."""
    lines = ["participants  power  (error)  half width of the interval"]
    lines += [
        f"{point.participants:>12}  {point.power:.3f}  ({point.error:.3f})  {point.half_width:.3f}"
        for point in found.curve
    ]
    enough = (
        f"{found.participants} participants do" if found.participants else "no size tried does: add items"
    )
    return "\n".join([*lines, f"For a power of {found.power:g}, {enough}."])
