"""Human-alignment scores from exported CSV files, without touching the database."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.column_mapping import ColumnMapping
from survey_site.analysis.conditions_file import read_conditions
from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.csv_rows import REQUIRED, ResponseFile, decoded
from survey_site.analysis.foreign_rows import mapped_lines
from survey_site.analysis.report import ReportSettings, alignment_report, score_json
from survey_site.analysis.report_warnings import (
    mixed_modes,
    of_conditions,
    unmarked_repeats,
    unnamed_presentations,
)
from survey_site.analysis.scoring import ConditionScore, ScoreSettings, score_table
from survey_site.analysis.versions import versions

#: Intervals of the table.
IN_TABLE = ("twoway", "bootstrap", "wilson")


class Command(BaseCommand):
    help = (
        "Score a CSV of responses as the results page does. Scores rows of kind main with an answer; "
        f"needs the columns {', '.join(REQUIRED)}. With conditions.csv as well, and all columns of an "
        "export, --json prints all statistics of `alignment STUDY --json`. Answers of jsPsych or JATOS, as "
        "CSV or JSON, are scored alike by a --mapping of their columns (docs/exports.md)."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="CSV of responses, UTF-8; - reads standard input")
        parser.add_argument("conditions", nargs="?", help="conditions.csv of the same export")
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        parser.add_argument(
            "--mapping", metavar="FILE", help="YAML or JSON file that says where our columns are found"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["conditions"] and not options["json"]:
            raise CommandError("conditions.csv is used by --json alone; add it, or leave the file out")
        self.mapping = mapping_of(options["mapping"]) if options["mapping"] else None
        if options["conditions"]:
            self.print_everything(options["file"], options["conditions"])
        else:
            self.print_scores(options["file"], as_text=not options["json"])

    def responses(self, file: BinaryIO) -> ResponseFile:
        return ResponseFile(mapped_lines(file, self.mapping) if self.mapping else file)

    def print_scores(self, path: str, *, as_text: bool) -> None:
        settings = ScoreSettings()
        with reading(path) as file:
            responses = self.responses(file)
            table = AnswerTable.from_rows(responses.rows(with_excluded=True))
        kept = np.frombuffer(responses.excluded, dtype=np.uint8) == 0
        scores = score_table(table.where(kept), settings=settings)
        everybody = score_table(table, settings=settings) if responses.n_excluded else []
        warnings = [
            *mixed_modes(responses.modes),
            *unmarked_repeats(responses.n_again),
            *unnamed_presentations(responses.n_unnamed),
        ]
        self.warn(warnings, is_empty=not scores)
        if as_text:
            self.stdout.write(as_text_of(scores, everybody, responses, settings))
            return
        printed = {**as_json(scores, responses, settings), "warnings": warnings}
        if everybody:
            printed["conditions_without_exclusions"] = [condition_as_json(score) for score in everybody]
        self.stdout.write(json.dumps(printed, indent=2))

    def print_everything(self, path: str, conditions_path: str) -> None:
        with reading(conditions_path) as file:
            cells = read_conditions(file)
        with reading(path) as file:
            responses = self.responses(file)
            rows = list(responses.full_rows(cells))
        unknown = {row.condition for row in rows if row.condition} - {row["condition"] for row in cells}
        if unknown:
            raise CommandError(f"{conditions_path} does not have the conditions {', '.join(sorted(unknown))}")
        try:
            report = alignment_report(rows, conditions=cells, settings=ReportSettings())
        except ScoringError as error:
            raise CommandError(f"{path}: {error}") from None
        self.warn(report["warnings"], is_empty=not report["scores"])
        self.stdout.write(json.dumps({"versions": versions(), **report}, indent=2))

    def warn(self, warnings: list[str], *, is_empty: bool) -> None:
        if is_empty:
            self.stderr.write("Nothing to score: no row of kind main has an answer.")
        for warning in warnings:
            self.stderr.write(warning)


def mapping_of(path: str) -> ColumnMapping:
    with reading(path) as file:
        return ColumnMapping.read("".join(decoded(file)))


@contextmanager
def reading(path: str) -> Iterator[BinaryIO]:
    """The open file; what is wrong with it ends the command with its name."""
    try:
        if path == "-":
            yield sys.stdin.buffer
        else:
            with open(path, "rb") as file:
                yield file
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    except CsvError as error:
        raise CommandError(f"{path}: {error}") from None


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
        "d_prime": score.d_prime,
        "d_prime_note": score.d_prime_note,
        "warnings": score_json(score)["warnings"],
    }


def counts(responses: ResponseFile, scores: list[ConditionScore]) -> dict[str, int]:
    return {
        "read": responses.n_rows,
        "scored": sum(score.n for score in scores),
        "not_main": responses.n_not_main,
        "unanswered": responses.n_unanswered,
        "excluded": responses.n_excluded,
    }


def as_text_of(
    scores: list[ConditionScore],
    everybody: list[ConditionScore],
    responses: ResponseFile,
    settings: ScoreSettings,
) -> str:
    """The scores with what to know about them below; where somebody is excluded, also with everybody."""
    read = counts(responses, scores)
    lines = [
        *table_lines(scores),
        f"{settings.confidence:.0%} intervals; {read['scored']} of {read['read']} rows scored "
        f"({read['not_main']} practice or catch, {read['unanswered']} unanswered, "
        f"{read['excluded']} excluded).",
        *of_conditions({score.condition: said_of(score) for score in scores}),
    ]
    if everybody:
        lines += ["", "With the excluded rows too:", *table_lines(everybody)]
        lines += of_conditions({score.condition: said_of(score) for score in everybody})
    return "\n".join(line.rstrip() for line in lines)


def said_of(score: ConditionScore) -> list[str]:
    """Warnings, and the notes of the intervals in the table."""
    notes = {name: score.intervals[name].note for name in IN_TABLE}
    return [*score_json(score)["warnings"], *(f"{name}: {note}" for name, note in notes.items() if note)]


def table_lines(scores: list[ConditionScore]) -> list[str]:
    width = max([len("condition"), *(len(score.condition) for score in scores)])
    lines = [
        f"{'condition':<{width}}  score       n  people  items" + "".join(f"  {n:<14}" for n in IN_TABLE)
    ]
    for score in scores:
        intervals = (score.intervals[name] for name in IN_TABLE)
        lines.append(
            f"{score.condition:<{width}}  {score.estimate:.3f}  {score.n:>6}  {score.n_participants:>6}  "
            f"{score.n_items:>5}" + "".join(f"  {i.low:.3f} - {i.high:.3f} " for i in intervals)
        )
    return lines
