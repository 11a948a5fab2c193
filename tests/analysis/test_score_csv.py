"""score_csv: what it prints, what it refuses, and that it needs no database."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from survey_site.analysis.scoring import ScoredRow, score_conditions

ROOT = Path(__file__).resolve().parents[2]
HEADER = "participant_id,condition,trial_id,trial_kind,chose_target"
ANSWERS = [
    (f"p{p}", c, f"t{t}", (p * t + len(c)) % 4 > 0) for p in range(6) for c in ("a", "bb") for t in range(5)
]


def score_csv(*args: str) -> tuple[str, str]:
    """What the command prints and what it warns of. pytest-django lets no test here reach the database."""
    stdout, stderr = io.StringIO(), io.StringIO()
    call_command("score_csv", *args, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    return lambda data: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "responses.csv"
    rows = [f"{p},{c},{t},main,{int(right)}" for p, c, t, right in ANSWERS]
    path.write_text("\n".join([HEADER, *rows, "p0,a,t9,main,", "p0,,t8,catch,1"]) + "\n")
    return path


def test_json_has_the_promised_keys_first_and_the_figures_of_scoring(file: Path) -> None:
    stdout, stderr = score_csv(str(file), "--json")
    assert stderr == "62 rows have no presentation_id: duplicates among them are not noticed.\n"
    printed = json.loads(stdout)
    assert [list(condition)[:8] for condition in printed["conditions"]] == 2 * [
        [
            "condition",
            "n",
            "score",
            "wilson_low",
            "wilson_high",
            "bootstrap_low",
            "bootstrap_high",
            "n_participants",
        ]
    ]
    scores = score_conditions(ScoredRow(c, p, t, right) for p, c, t, right in ANSWERS)
    for condition, score in zip(printed["conditions"], scores, strict=True):
        assert condition["condition"] == score.condition
        assert condition["score"] == score.estimate
        assert (condition["n"], condition["n_participants"]) == (30, 6)
        for name in ("wilson", "bootstrap", "twoway", "crossed"):
            interval = score.intervals[name]
            assert (condition[f"{name}_low"], condition[f"{name}_high"]) == (interval.low, interval.high)
    assert printed["rows"] == {"read": 62, "scored": 60, "not_main": 1, "unanswered": 1, "excluded": 0}
    assert printed["settings"] == {"confidence": 0.95, "replicates": 10_000, "rng_seed": 2023}


def test_a_table_is_printed_by_default(file: Path) -> None:
    lines = score_csv(str(file))[0].splitlines()
    assert lines[0].split() == ["condition", "score", "n", "people", "items", "twoway", "bootstrap", "wilson"]
    assert [line.split()[0] for line in lines[1:3]] == ["a", "bb"]
    assert lines[4:] == []
    assert lines[3] == "95% intervals; 60 of 62 rows scored (1 practice or catch, 1 unanswered, 0 excluded)."


def test_a_process_without_a_database_reads_standard_input(file: Path) -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "score_csv", "-", "--json"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nowhere"},
        input=file.read_bytes(),
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert result.stderr == b"62 rows have no presentation_id: duplicates among them are not noticed.\n"
    assert result.stdout.decode() == score_csv(str(file), "--json")[0]


def test_nothing_to_score_is_said(standard_input: Callable[[bytes], None]) -> None:
    standard_input(f"{HEADER}\n".encode())
    stdout, stderr = score_csv("-", "--json")
    assert json.loads(stdout)["conditions"] == []
    assert "Nothing to score" in stderr


def test_mixed_modes_are_said(standard_input: Callable[[bytes], None]) -> None:
    standard_input(f"{HEADER},mode\np,c,t,main,1,real\nq,c,t,main,0,pilot\n".encode())
    stdout, stderr = score_csv("-", "--json")
    assert "The scores mix rows of mode pilot and real." in stderr
    assert json.loads(stdout)["warnings"] == [
        "The scores mix rows of mode pilot and real.",
        "2 rows have no presentation_id: duplicates among them are not noticed.",
    ]


def test_excluded_rows_mix_no_modes(standard_input: Callable[[bytes], None]) -> None:
    rows = "p,c,t,main,1,real,\nq,c,t,main,0,pilot,too_fast\n"
    standard_input(f"{HEADER},mode,excluded_by\n{rows}".encode())
    assert "mix" not in score_csv("-")[1]


NOTED = f"""{HEADER},n_options
p,one,t,main,1,2
p,one,u,main,1,2
p,two,v,main,1,2
q,two,w,main,0,3
p,three,x,main,1,2
q,three,x,main,1,2
""".encode()


def test_warnings_and_notes_of_scores_are_those_of_the_report(
    standard_input: Callable[[bytes], None],
) -> None:
    standard_input(NOTED)
    one, three, two = json.loads(score_csv("-", "--json")[0])["conditions"]
    assert one["warnings"] == [
        "one participant: nothing is known about how people differ",
        "all answers are right",
        "2 items are too few for an interval that says much; 5 or more are wanted",
    ]
    assert "drawing these answers again changes nothing" in three["notes"]["bootstrap"]
    assert "one item: nothing is known about how items differ" in three["warnings"]
    assert "trials of 2 and 3 options are pooled, and their chance levels differ" in two["warnings"]
    assert two["d_prime_note"] == "d' is defined for two options; trials had 2 and 3"


def test_they_stand_below_the_table_too(standard_input: Callable[[bytes], None]) -> None:
    standard_input(NOTED)
    lines = score_csv("-")[0].splitlines()
    assert "one: one participant: nothing is known about how people differ." in lines
    assert "two: trials of 2 and 3 options are pooled, and their chance levels differ." in lines
    assert any(line.startswith("three: bootstrap: no width:") for line in lines)
    assert lines.count("one, three: all answers are right.") == 1


def test_scores_with_everybody_stand_below_where_somebody_is_excluded(
    standard_input: Callable[[bytes], None],
) -> None:
    rows = "p,c,t,main,1,\nq,c,t,main,0,too_fast\n"
    standard_input(f"{HEADER},excluded_by\n{rows}".encode())
    lines = score_csv("-")[0].splitlines()
    below = lines.index("With the excluded rows too:")
    assert [lines[1].split()[:3], lines[below + 2].split()[:3]] == [["c", "1.000", "1"], ["c", "0.500", "2"]]
    standard_input(f"{HEADER}\np,c,t,main,1\n".encode())
    assert "With the excluded" not in score_csv("-")[0]


@pytest.mark.parametrize("order", [1, -1])
def test_second_answers_under_another_presentation_are_said(
    standard_input: Callable[[bytes], None], order: int
) -> None:
    rows = ["p,c,t,main,1,0,x,", "p,c,t,main,1,0,y,", "p,c,t,main,1,0,z,x"]
    text = "\n".join([f"{HEADER},reference_index,presentation_id,repeat_of", *rows[::order]])
    standard_input(f"{text}\n".encode())
    [said] = json.loads(score_csv("-", "--json")[0])["warnings"]
    assert said.startswith(
        "1 answer is a second one of a participant to a reference of a trial, and not marked"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "the file is empty; required columns: participant_id, condition, trial_id, trial_kind"),
        (
            f"{HEADER}\np,c,t,main,maybe\n".encode(),
            "line 2: chose_target is 'maybe'; it must be 1, 0 or empty",
        ),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError) as error:
        score_csv(str(path), "--json")
    assert str(path) in str(error.value)
    assert message in str(error.value)
