"""score_csv with conditions.csv: the figures of the database from the two exported files, to the last bit."""

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from survey_site.analysis.exports import stream_conditions_csv, stream_responses_csv
from survey_site.analysis.figures.catalogue import figures_of
from survey_site.participation.models import Response
from tests.analysis.answered_study import AnsweredStudy

pytestmark = pytest.mark.django_db

#: What only the database knows.
STORED_ONLY = {
    "study",
    "study_version",
    "study_versions",
    "mode",
    "sessions",
    "exclusions",
    "observers",
    "unfinished",
    "methods",
}


def printed(command: str, *args: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(command, *args, "--json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


@pytest.fixture
def files(answered: AnsweredStudy, tmp_path: Path) -> tuple[Path, Path]:
    """Of a study with exclusions, reaction times, confidence, repeats and trials without an answer."""
    answered.new_version(rules='[{"rule": "catch_rate"}]')
    sessions = answered.answer(n=7)
    rng = random.Random(1)
    for response in Response.objects.order_by("pk"):
        response.rt, response.confidence = rng.uniform(300, 3000), rng.randint(1, 6)
        response.save()
    for session in sessions[:4]:
        first, again = session.presentations.filter(trial__in=answered.trials[:2]).order_by("position")
        first.trial = again.trial = answered.trials[0]
        again.repeat_of = first
        first.save()
        again.save()
        for response in first.responses.all():
            was_right = response.option == response.reference.answer
            response.reference = answered.trials[0].references.get()
            wrong = answered.trials[0].options.exclude(pk=response.reference.answer_id).get()
            response.option = response.reference.answer if was_right else wrong
            response.save()
        shown_again = answered.trials[0].references.get()
        for response in again.responses.all():
            was_right = response.option == response.reference.answer
            wrong = answered.trials[0].options.exclude(pk=shown_again.answer_id).get()
            response.reference, response.option = shown_again, shown_again.answer if was_right else wrong
            response.save()
    Response.objects.filter(pk=Response.objects.order_by("pk")[3].pk).update(option=None, timed_out=True)
    return written(answered, tmp_path)


def written(answered: AnsweredStudy, folder: Path) -> tuple[Path, Path]:
    call_command("alignment", answered.study.slug, stdout=io.StringIO())  # decides who is left out
    responses, conditions = folder / "responses.csv", folder / "conditions.csv"
    responses.write_text("".join(stream_responses_csv(answered.study, mode="real")), newline="")
    conditions.write_text("".join(stream_conditions_csv(answered.study)), newline="")
    return responses, conditions


def rewritten(path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> Path:
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    changed = change(rows)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(changed[0]))
        writer.writeheader()
        writer.writerows(changed)
    return path


def test_the_files_give_the_figures_of_the_database(files: tuple[Path, Path]) -> None:
    stored = printed("alignment", "faces")
    connection.close()
    told = printed("score_csv", *map(str, files))
    assert set(stored) - set(told) == STORED_ONLY
    assert {name: stored[name] for name in told} == told
    assert told["rows"]["excluded"] > 0
    assert "undefined" not in told["retest"]
    assert "undefined" not in told["scores"][1]["confidence"]


def test_reordered_and_pseudonymised_rows_give_the_same_bits(files: tuple[Path, Path]) -> None:
    before = printed("score_csv", *map(str, files))

    def disguised(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        random.Random(5).shuffle(rows)
        names: dict[str, str] = {"": ""}
        for row in rows:
            for column in ("participant_id", "session_id", "presentation_id", "repeat_of"):
                row[column] = names.setdefault(row[column], f"x{random.Random(row[column]).random()}")
        columns = list(rows[0])
        random.Random(6).shuffle(columns)
        return [{column: row[column] for column in columns} for row in rows]

    rewritten(files[0], disguised)
    rewritten(files[1], lambda rows: rows[::-1])
    after = printed("score_csv", *map(str, files))
    people = [report.pop("by_participant") for report in (before, after)]
    conditions = [report.pop("conditions") for report in (before, after)]
    assert after == before
    assert conditions[0] == conditions[1][::-1]
    assert sorted((one["condition"], one["hits"], one["n"]) for one in people[0]) == sorted(
        (one["condition"], one["hits"], one["n"]) for one in people[1]
    )


def test_what_pandas_writes_back_gives_the_same_bits(files: tuple[Path, Path]) -> None:
    import pandas as pd

    before = printed("score_csv", *map(str, files))
    for path in files:
        pd.read_csv(path).to_csv(path, index=False)
    rewritten(files[1], lambda rows: [{**row, "epsilon": row["epsilon"]} for row in rows])
    after = printed("score_csv", *map(str, files))
    assert after["scores"] == before["scores"]
    assert after["comparisons"] == before["comparisons"]


def test_real_and_pilot_answers_in_one_file_are_warned_of(files: tuple[Path, Path]) -> None:
    def pilot_first(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        session = next(row["session_id"] for row in rows if not row["excluded_by"])
        return [{**row, "mode": "pilot" if row["session_id"] == session else "real"} for row in rows]

    rewritten(files[0], pilot_first)
    assert "The scores mix rows of mode pilot and real." in printed("score_csv", *map(str, files))["warnings"]


def test_unmarked_second_answers_are_ordered_warned_of_and_else_refused(files: tuple[Path, Path]) -> None:
    marked = printed("score_csv", *map(str, files))
    rewritten(files[0], everywhere("repeat_of", ""))
    unmarked = printed("score_csv", *map(str, files))
    for before, after in zip(marked["scores"], unmarked["scores"], strict=True):
        assert (after["score"], after["ceiling"]) == (before["score"], before["ceiling"])
        assert after["krippendorff_alpha"] == pytest.approx(before["krippendorff_alpha"])
    said = [warning for warning in unmarked["warnings"] if "not marked as a repeat" in warning]
    assert len(said) == 1
    rewritten(files[0], without("client_seq"))
    assert printed("score_csv", *map(str, files))["scores"]
    rewritten(files[0], without("server_received_utc"))
    with pytest.raises(CommandError, match=r"responses\.csv: participant '.*' answered trial '.*' 2 times"):
        printed("score_csv", *map(str, files))


def test_conditions_tell_what_the_rows_do_not(files: tuple[Path, Path]) -> None:
    before = printed("score_csv", *map(str, files))
    rewritten(files[0], without("n_options"))
    rewritten(
        files[0], lambda rows: [{**row, "trial_format": ""} if row["condition"] else row for row in rows]
    )
    after = printed("score_csv", *map(str, files))
    for part in before:
        assert after[part] == before[part], part


def test_figures_are_drawn_from_the_files_alone(files: tuple[Path, Path]) -> None:
    names = [figure.name for figure in figures_of(printed("score_csv", *map(str, files)))]
    assert names[0] == "scores"
    assert "exclusions" not in names


def change_cell(column: str, value: str) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    return lambda rows: [{**rows[0], column: value}, *rows[1:]]


def everywhere(column: str, value: str) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    return lambda rows: [{**row, column: value} for row in rows]


def repeats_a_neighbour(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    other = next(row for row in rows if row["trial_id"] != rows[0]["trial_id"])
    return [{**rows[0], "repeat_of": other["presentation_id"]}, *rows[1:]]


def splits_a_presentation(by: str) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    """The first row of a matching trial gets another id than those beside it."""

    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        first = next(place for place, row in enumerate(rows) if row["trial_format"] == "matching")
        return [{**row, by: "other"} if place == first else row for place, row in enumerate(rows)]

    return change


def repeats_itself(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**rows[0], "repeat_of": rows[0]["presentation_id"]}, *rows[1:]]


def in_one_row_of(
    kind: Callable[[dict[str, str]], bool], changes: Callable[[dict[str, str]], dict[str, str]]
) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    """The first row of that kind says otherwise than all others of its trial or session."""

    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        first = next(place for place, row in enumerate(rows) if kind(row))
        return [{**row, **changes(row)} if place == first else row for place, row in enumerate(rows)]

    return change


def answered(row: dict[str, str]) -> bool:
    return row["trial_format"] == "two_afc" and row["trial_kind"] == "main" and row["chose_target"] != ""


def other_target(row: dict[str, str]) -> dict[str, str]:
    place = 1 - int(row["answer_position"])
    return {"answer_position": str(place), "chose_target": str(int(place == int(row["response"])))}


def repeats_what_comes_later(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{**row, "client_seq": "0"} if row["repeat_of"] else row for row in rows]


def circle(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    again = next(row for row in rows if row["repeat_of"])
    return [
        {**row, "repeat_of": again["presentation_id"], "client_seq": ""}
        if row["presentation_id"] == again["repeat_of"]
        else {**row, "client_seq": "", "server_received_utc": ""}
        for row in rows
    ]


def without(column: str) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    return lambda rows: [{name: cell for name, cell in row.items() if name != column} for row in rows]


@pytest.mark.parametrize(
    ("which", "change", "message"),
    [
        (0, without("rt"), "responses.csv: missing column rt; required columns: participant_id"),
        (0, change_cell("rt", "fast"), "line 2: rt is 'fast'; it must be a number, or empty"),
        (0, change_cell("rt", "inf"), "line 2: rt is 'inf'; it must be a number"),
        (0, change_cell("response", "7"), "line 2: response is '7'; it must be a whole number, from 0 to"),
        (
            0,
            change_cell("confidence", "-1"),
            "line 2: confidence is '-1'; it must be a whole number, 0 or more",
        ),
        (0, change_cell("response", ""), "line 2: response and chose_target must both be given, or neither"),
        (
            0,
            change_cell("trial_format", "2afc"),
            "trial_format is '2afc'; it must be one of two_afc, matching",
        ),
        (0, change_cell("condition", "other"), "trial_id '"),
        (0, change_cell("participant_id", "other"), "session_id '"),
        (0, splits_a_presentation("session_id"), "presentation_id '"),
        (0, splits_a_presentation("trial_id"), "presentation_id '"),
        (
            0,
            change_cell("repeat_of", "nothing"),
            "line 2: repeat_of is 'nothing', which no row has; it must be",
        ),
        (0, repeats_a_neighbour, "of another trial or session; it must be of the same, or empty"),
        (0, repeats_itself, "the row's own presentation_id; it must be that of another row, or empty"),
        (0, in_one_row_of(answered, other_target), ", reference 0' has the target '"),
        (
            0,
            in_one_row_of(answered, lambda row: {"options": f"x|{row['options'].split('|')[1]}"}),
            " has the options '",
        ),
        (
            0,
            in_one_row_of(answered, lambda row: {"options": row["options"] + "|x", "n_options": "3"}),
            "n_options is 3, and 2 for the condition 'first' in conditions.csv; they must be the same",
        ),
        (
            0,
            in_one_row_of(answered, lambda _: {"trial_format": "odd_one_out"}),
            "trial_format is 'odd_one_out', and 'two_afc' for the condition 'first' in conditions.csv",
        ),
        (
            0,
            in_one_row_of(answered, lambda _: {"trial_kind": "catch"}),
            " has the trial_kind 'main', and 'catch'",
        ),
        (0, in_one_row_of(answered, lambda _: {"target_label": "other"}), " has the target_label '"),
        (
            0,
            in_one_row_of(answered, lambda _: {"mode": "pilot"}),
            " has the mode 'real', and 'pilot' in line",
        ),
        (
            0,
            in_one_row_of(answered, lambda _: {"options": "", "n_options": ""}),
            "and options is empty; it must name the options shown",
        ),
        (0, repeats_what_comes_later, "which came later by client_seq or server_received_utc"),
        (0, circle, "which in turn repeats '"),
        (0, everywhere("condition", "third"), "conditions.csv does not have the conditions third"),
        (1, without("label"), "conditions.csv: missing column label of conditions.csv"),
        (1, change_cell("shows", "noise"), "line 2: shows is 'noise'; it must be one of iri, target, start"),
        (
            1,
            change_cell("layer_depth", "deep"),
            "line 2: layer_depth is 'deep'; it must be a whole number from 0",
        ),
        (1, change_cell("n_options", "1"), "line 2: n_options is '1'; it must be a whole number from 2"),
        (
            1,
            change_cell("is_residual", "maybe"),
            "line 2: is_residual is 'maybe'; it must be one of 1, 0, or empty",
        ),
        (1, change_cell("trial_format", "2afc"), "line 2: trial_format is '2afc'; it must be one of two_afc"),
        (1, change_cell("condition", ""), "line 2: condition is empty"),
        (1, lambda rows: [*rows, rows[0]], "line 4: condition '-second' occurs more than once"),
    ],
)
def test_files_that_make_no_sense_are_refused_by_name(
    files: tuple[Path, Path],
    which: int,
    change: Callable[[list[dict[str, str]]], list[dict[str, str]]],
    message: str,
) -> None:
    rewritten(files[which], change)
    with pytest.raises(CommandError) as refused:
        printed("score_csv", *map(str, files))
    assert message in str(refused.value)


def test_a_conditions_file_that_is_no_csv_is_refused(files: tuple[Path, Path]) -> None:
    text = files[1].read_text()
    files[1].write_text(text + "a,b\n")
    with pytest.raises(CommandError, match=r"conditions\.csv: line 4: 2 cells where the header has"):
        printed("score_csv", *map(str, files))
    files[1].write_text(text + '"a')
    with pytest.raises(CommandError, match="not valid CSV"):
        printed("score_csv", *map(str, files))
