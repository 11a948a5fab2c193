from collections.abc import Iterator

import pytest

from survey_site.analysis.csv_cells import escape, unescape
from survey_site.analysis.csv_checks import CsvError
from survey_site.analysis.csv_rows import ResponseFile
from survey_site.analysis.scoring import ScoredRow

HEADER = "participant_id,condition,trial_id,trial_kind,chose_target"
REQUIRED = "required columns: participant_id, condition, trial_id, trial_kind, chose_target"


def read(text: str | bytes) -> list[ScoredRow]:
    data = text.encode() if isinstance(text, str) else text
    return list(ResponseFile(data.splitlines(keepends=True)).rows())


def test_answered_main_rows_are_read() -> None:
    lines = ["p1,c,t1,main,1", "p1,c,t2,main,0", "p1,c,t3,main,", "p1,,t4,catch,1", "p1,,t5,practice,0"]
    file = ResponseFile(line.encode() + b"\r\n" for line in [HEADER, *lines])
    assert list(file.rows()) == [ScoredRow("c", "p1", "t1", True), ScoredRow("c", "p1", "t2", False)]
    assert (file.n_rows, file.n_not_main, file.n_unanswered) == (5, 2, 1)


def test_columns_may_stand_in_any_order_among_others() -> None:
    text = "note,chose_target,n_options,trial_kind,trial_id,condition,participant_id\nx,1,3,main,t,c,p\n"
    assert read(text) == [ScoredRow("c", "p", "t", True, 3)]


def test_what_pandas_and_r_write_back_is_read() -> None:
    text = f"{HEADER},n_options\np,c,t1,main,1.0,2.0\np,c,t2,main,0.0,NA\np,c,t3,main,NA,2.0\n"
    assert read(text) == [ScoredRow("c", "p", "t1", True, 2), ScoredRow("c", "p", "t2", False, None)]


def test_a_byte_order_mark_and_quoted_line_breaks_are_read() -> None:
    text = f'\ufeff{HEADER}\np,"c, with\na break",t,main,1\n\n'
    assert read(text) == [ScoredRow("c, with\na break", "p", "t", True)]


def test_escaped_text_is_read_as_it_was() -> None:
    assert read(f"{HEADER}\np,'-c,t,main,1\n") == [ScoredRow("-c", "p", "t", True)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_formulas_are_escaped_and_come_back(text: str) -> None:
    assert escape(text) == f"'{text}"
    assert unescape(escape(text)) == text


@pytest.mark.parametrize("text", ["", "plain", "'quoted'", "a=b", "3-4"])
def test_other_text_is_left_alone(text: str) -> None:
    assert escape(text) == text == unescape(text)


def test_spaces_around_ids_do_not_count() -> None:
    assert read(f"{HEADER}\n p1,c ,t1\u00a0,main,1\n") == [ScoredRow("c", "p1", "t1", True)]


@pytest.mark.parametrize("rules", ["", "NA", "catch_rate", "too_fast|side_bias", "researcher"])
def test_rules_leave_out_and_nothing_does_not(rules: str) -> None:
    assert bool(read(f"{HEADER},excluded_by\np,c,t,main,1,{rules}\n")) == (rules in ("", "NA"))


@pytest.mark.parametrize(
    "rules",
    [
        "0",
        "FALSE",
        "None",
        "catch_rate|0",
        "catch_rate|",
        " ",
        "included",
        "ok",
        "-",
        "no exclusion",
        "too_fast|gibberish",
        "Too_Fast",
    ],
)
def test_what_is_no_rule_is_refused(rules: str) -> None:
    with pytest.raises(
        CsvError, match=r"line 2: excluded_by is '.*'; it must be empty, or names of rules"
    ) as no:
        read(f"{HEADER},excluded_by\np,c,t,main,1,{rules}\n")
    assert repr(rules) in str(no.value)


def test_scores_alone_do_not_use_what_trials_and_sessions_belong_to() -> None:
    """Who numbers trials within conditions, and sessions within participants, can score all the same."""
    text = f"{HEADER},session_id,excluded_by\np,c,t1,main,1,1,\nq,c,t1,main,1,1,too_fast\np,d,t1,main,1,2,\n"
    assert len(read(text)) == 2


def test_a_file_is_read_line_by_line() -> None:
    """The second line is not asked for before the first row is out, so any size will do."""

    def lines() -> Iterator[bytes]:
        yield f"{HEADER}\n".encode()
        yield b"p,c,t,main,1\n"
        raise AssertionError("read ahead")

    assert next(ResponseFile(lines()).rows()) == ScoredRow("c", "p", "t", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"the file is empty; {REQUIRED}"),
        (
            "a,b\n",
            f"missing columns participant_id, condition, trial_id, trial_kind, chose_target; {REQUIRED}",
        ),
        (HEADER.replace(",chose_target", ""), f"missing column chose_target; {REQUIRED}"),
        (HEADER.replace(",", ";"), "cells must be separated by commas"),
        (f"{HEADER},condition\n", "column condition occurs more than once"),
        (
            f"{HEADER}\np,c,t,main,1\np,c,t,main,yes\n",
            "line 3: chose_target is 'yes'; it must be 1, 0 or empty",
        ),
        (f"{HEADER}\np,c,t,main,2\n", "line 2: chose_target is '2'; it must be 1, 0 or empty"),
        (
            f"{HEADER}\np,c,t,test,1\n",
            "line 2: trial_kind is 'test'; it must be one of main, practice, catch",
        ),
        (f"{HEADER}\np,c,t,main\n", "line 2: 4 cells where the header has 5"),
        (f"{HEADER}\np,,t,main,1\n", "line 2: condition is empty in an answered main row"),
        (f"{HEADER}\n,c,t,main,1\n", "line 2: participant_id is empty in an answered main row"),
        (
            f"{HEADER},n_options\np,c,t,main,1,1\n",
            "line 2: n_options is '1'; it must be a whole number from 2",
        ),
        (f'{HEADER}\np,"c,t,main,1\n', "line 2: not valid CSV"),
        (f"{HEADER}\np,café,t,main,1\n".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8"),
        (f"{HEADER}\n".encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
        (
            f"{HEADER},response,answer_position\np,c,t,main,1,1,1\np,c,u,main,1,0,1\n",
            "line 3: chose_target is 1 with response 0 and answer_position 1; it must be 1 where the two are",
        ),
        (
            f"{HEADER},response,answer_position\np,c,t,main,0,1,1.0\n",
            "line 2: chose_target is 0 with response 1 and answer_position 1; it must be 1 where the two are",
        ),
        (
            f"{HEADER},n_options,options\np,c,t,main,1,3,a|b\n",
            "line 2: n_options is 3, and options has 2; they must be as many",
        ),
        (
            f"{HEADER},options\np,c,t,main,1,a|b| a\n",
            "line 2: options has 'a' twice; each option of a trial must occur once",
        ),
        (
            f"{HEADER},response,answer_position\np,c,t,main,,1,1\n",
            "line 2: chose_target is empty with response 1 and answer_position 1; it must be 1 where the two",
        ),
        (
            f"{HEADER},presentation_id,repeat_of\np,c,t,main,1,x,x\n",
            "line 2: repeat_of is 'x', the row's own presentation_id; it must be that of another row",
        ),
        (
            f"{HEADER},presentation_id,repeat_of\np,c,t,main,1,x,y\np,c,t,main,1,y,x\n",
            "line 2: repeat_of is 'y', which in turn repeats 'x'",
        ),
        (
            f"{HEADER},trial_format\np,c,t,main,1,2afc\n",
            "line 2: trial_format is '2afc'; it must be one of two_afc, matching, classification",
        ),
        (
            f"{HEADER},session_id,excluded_by\np,c,t,main,1,s,\np,c,u,main,1,s,too_fast\n",
            "line 3: session_id 's' has the excluded_by 'too_fast', and '' in line 2; a session is left out",
        ),
        (
            f"{HEADER},excluded_by\np,c,t,practice,1,gibberish\n",
            "line 2: excluded_by is 'gibberish'; it must be empty, or names of rules joined by |: ",
        ),
        (
            f"{HEADER},presentation_id,reference_index\np,c,t,main,1,x,0\np,c,t,main,1,x,1\np,c,t,main,1,x,0\n",
            "line 4: presentation x, reference 0 occurs more than once",
        ),
    ],
)
def test_what_makes_no_sense_is_named(text: str | bytes, message: str) -> None:
    with pytest.raises(CsvError) as error:
        read(text)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("cells", "n_options"),
    [("a|b|c,3", 3), ("a|b|c,", 3), ("a|b|c,NA", 3), (",2", 2), (",", None), ("NA,", None), ("a,", None)],
)
def test_options_tell_how_many_there_were_where_nothing_else_does(cells: str, n_options: int | None) -> None:
    [row] = read(f"{HEADER},options,n_options\np,c,t,main,1,{cells}\n")
    assert row.n_options == n_options


def test_lines_of_text_are_refused_by_what_to_do() -> None:
    with pytest.raises(CsvError, match='they must be bytes: open the file in binary mode, "rb"'):
        list(ResponseFile([HEADER]).rows())  # type: ignore[list-item]
