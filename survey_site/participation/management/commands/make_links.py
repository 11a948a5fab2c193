"""python manage.py make_links STUDY --n 50 > links.csv"""

import csv
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.access.services import record_event
from survey_site.participation.recruitment.links import HEADER, LinksRefused, link_rows, make_links
from survey_site.studies.models import Recruiter, Study


class Command(BaseCommand):
    help = "Make single-use links of a study, and write them as CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("study", help="slug")
        parser.add_argument("--n", type=int, required=True, help="how many")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(slug=options["study"], recruiter=Recruiter.SINGLE_USE).first()
        if study is None:
            raise CommandError(f"{options['study']!r} is no study of single-use links")
        try:
            links = make_links(study=study, n=options["n"])
        except LinksRefused as refusal:
            raise CommandError(str(refusal)) from None
        record_event(user=None, action="make links", subject=study, detail={"n": len(links)})
        csv.writer(self.stdout).writerows([HEADER, *link_rows(iter(links))])
