"""Human-alignment scores from an exported CSV, without touching the database."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from survey_site.analysis.answers import AnswerTable
from survey_site.analysis.csv_rows import REQUIRED, CsvError, ResponseFile
from survey_site.analysis.scoring import ConditionScore, ScoreSettings, score_table


class Command(BaseCommand):
    help = (
        "Score a CSV of responses as the results page does. Scores rows of kind main with an answer; "
        f"needs the columns {', '.join(REQUIRED)}."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="CSV of responses, UTF-8; - reads standard input")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        settings = ScoreSettings()
        try:
            with opened(options["file"]) as file:
                responses = ResponseFile(file)
                table = AnswerTable.from_rows(responses.rows(with_excluded=True))
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from None
        except CsvError as error:
            raise CommandError(f"{options['file']}: {error}") from None
        kept = np.frombuffer(responses.excluded, dtype=np.uint8) == 0
        scores = score_table(table.where(kept), settings=settings)
        self.warn(responses, scores)
        if options["json"]:
            printed = as_json(scores, responses, settings)
            if responses.n_excluded:
                without = score_table(table, settings=settings)
                printed["conditions_without_exclusions"] = [condition_as_json(score) for score in without]
            self.stdout.write(json.dumps(printed, indent=2))
        else:
            self.stdout.write(as_table(scores, responses, settings))

    def warn(self, responses: ResponseFile, scores: list[ConditionScore]) -> None:
        if not scores:
            self.stderr.write("Nothing to score: no row of kind main has an answer.")
        if len(responses.modes) > 1:
            modes = " and ".join(sorted(mode or "(empty)" for mode in responses.modes))
            self.stderr.write(f"The scores mix rows of mode {modes}.")


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
    else:
        with open(path, "rb") as file:
            yield file


def as_json(scores: list[ConditionScore], responses: ResponseFile, settings: ScoreSettings) -> dict[str, Any]:
    return {
        "conditions": [condition_as_json(score) for score in scores],
        "rows": counts(responses, scores),
        "settings": asdict(settings),
    }


def condition_as_json(score: ConditionScore) -> dict[str, Any]:
    wilson, bootstrap, twoway = (score.intervals[name] for name in ("wilson", "bootstrap", "twoway"))
    return {
        "condition": score.condition,
        "n": score.n,
        "score": score.estimate,
        "wilson_low": wilson.low,
        "wilson_high": wilson.high,
        "bootstrap_low": bootstrap.low,
        "bootstrap_high": bootstrap.high,
        "n_participants": score.n_participants,
        "n_items": score.n_items,
        "chance": score.chance,
        "twoway_low": twoway.low,
        "twoway_high": twoway.high,
        "crossed_low": score.intervals["crossed"].low,
        "crossed_high": score.intervals["crossed"].high,
        "cluster_low": score.intervals["cluster"].low,
        "cluster_high": score.intervals["cluster"].high,
        "notes": {name: interval.note for name, interval in score.intervals.items() if interval.note},
    }


def counts(responses: ResponseFile, scores: list[ConditionScore]) -> dict[str, int]:
    return {
        "read": responses.n_rows,
        "scored": sum(score.n for score in scores),
        "not_main": responses.n_not_main,
        "unanswered": responses.n_unanswered,
        "excluded": responses.n_excluded,
    }


def as_table(scores: list[ConditionScore], responses: ResponseFile, settings: ScoreSettings) -> str:
    names = ("twoway", "bootstrap", "wilson")
    width = max([len("condition"), *(len(score.condition) for score in scores)])
    lines = [f"{'condition':<{width}}  score       n  people  items" + "".join(f"  {n:<14}" for n in names)]
    for score in scores:
        intervals = (score.intervals[name] for name in names)
        lines.append(
            f"{score.condition:<{width}}  {score.estimate:.3f}  {score.n:>6}  {score.n_participants:>6}  "
            f"{score.n_items:>5}" + "".join(f"  {i.low:.3f} - {i.high:.3f} " for i in intervals)
        )
    read = counts(responses, scores)
    lines.append(
        f"{settings.confidence:.0%} intervals; {read['scored']} of {read['read']} rows scored "
        f"({read['not_main']} practice or catch, {read['unanswered']} unanswered, "
        f"{read['excluded']} excluded)."
    )
    return "\n".join(line.rstrip() for line in lines)
