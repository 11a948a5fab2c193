"""All statistics of one study, with exclusions, versions and seeds."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.analysis.report import ReportSettings
from survey_site.analysis.services import alignment_of
from survey_site.participation.models import Mode
from survey_site.studies.exclusion_rules import ExclusionError, Rule, rules_from_json
from survey_site.studies.exclusion_services import refuse_researcher
from survey_site.studies.models import Study, StudyVersion


class Command(BaseCommand):
    help = (
        "Human-alignment scores of a study with everything beside them: agreement, ceilings, comparisons, "
        "the mixed model, exclusions. Holds its sessions to the exclusion rules of their versions first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="slug of the study")
        parser.add_argument("--json", action="store_true", help="print everything as JSON; else a summary")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.REAL, help="default: real")
        parser.add_argument("--study-version", type=int, help="number of one version; default: all of them")
        parser.add_argument(
            "--rules", type=Path, help="JSON file of exclusion rules to try instead; nothing is saved"
        )
        parser.add_argument(
            "--margin", type=float, default=0.1, help="what counts as no difference, as a share; default: 0.1"
        )
        parser.add_argument(
            "--mixed-model", action="store_true", help="fit the mixed model however many answers there are"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        study = self.study(options["study"])
        version = self.version(study, options["study_version"])
        rules = self.rules(options["rules"]) if options["rules"] else None
        if not 0 < options["margin"] < 1:
            raise CommandError(f"--margin is {options['margin']}; it must lie between 0 and 1, as a share")
        settings = ReportSettings(margin=options["margin"], mixed_model=options["mixed_model"] or None)
        report = alignment_of(study, options["mode"], version=version, settings=settings, instead=rules)
        if not report["scores"]:
            self.stderr.write(f"{study.slug} has no answers of mode {options['mode']} to score.")
        for warning in report["warnings"]:
            self.stderr.write(warning)
        self.stdout.write(json.dumps(report, indent=2) if options["json"] else summary(report))

    def study(self, slug: str) -> Study:
        found = Study.objects.filter(slug=slug).first()
        if found is None:
            known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none"
            raise CommandError(f"no study has the slug {slug!r}; studies: {known}")
        return found

    def version(self, study: Study, number: int | None) -> StudyVersion | None:
        if number is None:
            return None
        found = study.versions.filter(number=number).first()
        if found is None:
            known = ", ".join(map(str, study.versions.values_list("number", flat=True))) or "none"
            raise CommandError(f"{study.slug} has no version {number}; versions: {known}")
        return found

    def rules(self, path: Path) -> list[Rule]:
        try:
            rules = rules_from_json(path.read_text(encoding="utf-8"))
            refuse_researcher(rules)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from None
        except (ExclusionError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: {error}") from None
        return rules


def summary(report: dict[str, Any]) -> str:
    """A table of the scores and who was left out."""
    width = max([len("condition"), *(len(score["condition"]) for score in report["scores"])])
    lines = [f"{'condition':<{width}}  score       n  people  items  twoway         normalised"]
    for score in report["scores"]:
        interval = score["intervals"]["twoway"]
        lines.append(
            f"{score['condition']:<{width}}  {score['score']:.3f}  {score['n']:>6}  "
            f"{score['n_participants']:>6}  {score['n_items']:>5}  {interval['low']:.3f} - "
            f"{interval['high']:.3f}  "
            + _scaled(score["normalised"].get("by_lower_ceiling", score["normalised"]))
        )
    counted = report["exclusions"]["flow"]
    lines.append(f"{counted['kept']} of {counted['assessed']} sessions kept.")
    unfinished = report["unfinished"]
    if unfinished["sessions"]:
        lines.append(
            f"{unfinished['responses']} responses of {unfinished['sessions']} unfinished sessions "
            "are included."
        )
    lines += [f"{rule}: {n} left out" for rule, n in counted["by_rule"].items()]
    return "\n".join(lines)


def _scaled(score: dict[str, Any]) -> str:
    """A normalised score with its interval, as far as they are defined."""
    if "undefined" in score:
        return "-"
    ends = "" if score["low"] is None else f" ({score['low']:.3f} - {score['high']:.3f})"
    return f"{score['value']:.3f}{ends}"
