"""score_csv as a person runs it: a process of its own, with no database to be found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from survey_site.analysis.scoring import ScoredRow, score_conditions

ROOT = Path(__file__).resolve().parents[2]
HEADER = "participant_id,condition,trial_id,trial_kind,chose_target"
ANSWERS = [
    (f"p{p}", c, f"t{t}", (p * t + len(c)) % 4 > 0) for p in range(6) for c in ("a", "bb") for t in range(5)
]


def score_csv(*args: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nowhere"}
    return subprocess.run(
        [sys.executable, "manage.py", "score_csv", *args],
        cwd=ROOT,
        env=environment,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "responses.csv"
    rows = [f"{p},{c},{t},main,{int(right)}" for p, c, t, right in ANSWERS]
    path.write_text("\n".join([HEADER, *rows, "p0,a,t9,main,", "p0,,t8,catch,1"]) + "\n")
    return path


def test_json_has_the_promised_keys_first_and_the_figures_of_scoring(file: Path) -> None:
    result = score_csv(str(file), "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    printed = json.loads(result.stdout)
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
    assert printed["rows"] == {"read": 62, "scored": 60, "not_main": 1, "unanswered": 1}
    assert printed["settings"] == {"confidence": 0.95, "replicates": 10_000, "rng_seed": 2023}


def test_a_table_is_printed_by_default(file: Path) -> None:
    lines = score_csv(str(file)).stdout.decode().splitlines()
    assert lines[0].split() == ["condition", "score", "n", "people", "items", "twoway", "bootstrap", "wilson"]
    assert [line.split()[0] for line in lines[1:3]] == ["a", "bb"]
    assert lines[3] == "95% intervals; 60 of 62 rows scored (1 practice or catch, 1 unanswered)."


def test_standard_input_is_read(file: Path) -> None:
    assert score_csv("-", "--json", stdin=file.read_bytes()).stdout == score_csv(str(file), "--json").stdout


def test_nothing_to_score_is_said() -> None:
    result = score_csv("-", "--json", stdin=f"{HEADER}\n".encode())
    assert json.loads(result.stdout)["conditions"] == []
    assert b"Nothing to score" in result.stderr


def test_mixed_modes_are_said() -> None:
    result = score_csv("-", stdin=f"{HEADER},mode\np,c,t,main,1,real\nq,c,t,main,0,pilot\n".encode())
    assert b"The scores mix rows of mode pilot and real." in result.stderr


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
    result = score_csv(str(path), "--json")
    assert result.returncode == 1
    assert result.stdout == b""
    assert str(path) in result.stderr.decode()
    assert message in result.stderr.decode()
