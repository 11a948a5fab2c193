"""The exported files, read as a person's CSV reader reads them."""

import csv
import io
import re
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from survey_site.analysis.condition_columns import CONDITION_COLUMNS
from survey_site.analysis.exporting.rows import RESPONSE_PATHS
from survey_site.analysis.exports import stream_conditions_csv, stream_responses_csv
from survey_site.analysis.response_columns import RESPONSE_COLUMNS
from survey_site.analysis.response_facts import ResponseFields
from survey_site.participation.models import Presentation, Response, StudySession
from tests.analysis.answered_study import AnsweredStudy

PROMISED = re.split(
    r"\s+",
    "trial_type trial_index time_elapsed rt response stimulus participant_id session_id study "
    "study_version mode language condition network layer recipe iri_id target_id target_label "
    "start_image block trial_id trial_format trial_kind presentation_id attempt repeat_of "
    "reference_index reference n_options options answer_position chose_target timed_out confidence "
    "rt_raw_ms onset_frame_ms input refresh_hz frames_dropped focus_lost side_seed client_seq "
    "recruiter excluded_by server_received_utc",
)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def responses(answered: AnsweredStudy, mode: str = "real") -> list[dict[str, str]]:
    return rows("".join(stream_responses_csv(answered.study, mode=mode)))


def test_the_columns_are_the_promised_ones_in_order() -> None:
    assert [column.name for column in RESPONSE_COLUMNS] == PROMISED
    assert len(RESPONSE_PATHS) == len(ResponseFields._fields)


def test_there_is_one_row_per_presentation_and_reference(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    answered.answer(n=1, mode="pilot")
    exported = responses(answered)
    assert len(exported) == 3 * (4 + 2 * 3 + 1)
    assert len({(row["presentation_id"], row["reference_index"]) for row in exported}) == len(exported)
    assert {row["mode"] for row in exported} == {"real"}
    assert len(responses(answered, mode="pilot")) == 11


def test_a_study_without_responses_has_a_header(answered: AnsweredStudy) -> None:
    text = "".join(stream_responses_csv(answered.study, mode="real"))
    assert text == ",".join(PROMISED) + "\n"


def test_a_row_says_what_was_shown_and_chosen(answered: AnsweredStudy) -> None:
    answered.answer(n=4)
    for row in responses(answered):
        presentation = Presentation.objects.get(pk=row["presentation_id"])
        response = Response.objects.get(presentation=presentation, reference__index=row["reference_index"])
        shown = row["options"].split("|")
        by_index = {str(option.pk): option.index for option in presentation.trial.options.all()}
        assert [by_index[option] for option in shown] == presentation.option_order
        assert shown[int(row["response"])] == str(response.option_id)
        assert shown[int(row["answer_position"])] == str(response.reference.answer_id)
        assert row["chose_target"] == str(int(response.option_id == response.reference.answer_id))
        assert row["n_options"] == str(len(shown))
        assert row["trial_id"] == str(presentation.trial_id)


def test_every_cell_of_a_row(answered: AnsweredStudy) -> None:
    [session] = answered.answer(n=1, share=1)
    row = next(row for row in responses(answered) if row["condition"] == "first")
    trial = answered.trials[[str(trial.pk) for trial in answered.trials].index(row["trial_id"])]
    reference = trial.references.get()
    assert reference.iri
    expected = {
        "trial_type": "iri-two-afc",
        "trial_index": "",
        "time_elapsed": "",
        "rt": "512.25",
        "stimulus": f"iri-{trial.number}",
        "participant_id": str(session.participant_id),
        "session_id": str(session.pk),
        "study": "faces",
        "study_version": "1",
        "mode": "real",
        "language": "en",
        "condition": "first",
        "network": "resnet",
        "layer": "avgpool",
        "recipe": "'=cmd",
        "iri_id": str(reference.iri_id),
        "target_id": str(reference.iri.target_id),
        "target_label": "'@home, sweet",
        "start_image": "start",
        "block": "0",
        "trial_format": "two_afc",
        "trial_kind": "main",
        "attempt": "1",
        "repeat_of": "",
        "reference_index": "0",
        "reference": str(reference.pk),
        "chose_target": "1",
        "timed_out": "0",
        "confidence": "",
        "rt_raw_ms": "512.2500001",
        "onset_frame_ms": "",
        "input": "key",
        "refresh_hz": "",
        "frames_dropped": "",
        "focus_lost": "",
        "side_seed": str(session.rng_seed),
        "recruiter": "link",
        "excluded_by": "",
    }
    assert {name: row[name] for name in expected} == expected
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["server_received_utc"])
    assert int(row["client_seq"]) == Presentation.objects.get(pk=row["presentation_id"]).position + 1


def test_an_unanswered_row_leaves_its_answer_empty(answered: AnsweredStudy) -> None:
    answered.answer(n=1)
    Response.objects.update(option=None, timed_out=True)
    for row in responses(answered):
        assert (row["response"], row["chose_target"], row["timed_out"]) == ("", "", "1")
        assert row["answer_position"] != ""


def test_formulas_are_escaped_in_text_and_numbers_are_left_alone(answered: AnsweredStudy) -> None:
    answered.answer(n=1)
    StudySession.objects.update(rng_seed=-5)
    Response.objects.update(rt=-1.5)
    row = next(row for row in responses(answered) if row["condition"] == "'-second")
    assert (row["side_seed"], row["rt"]) == ("-5", "-1.5")


def test_a_catch_trial_has_no_condition(answered: AnsweredStudy) -> None:
    answered.answer(n=1)
    [row] = [row for row in responses(answered) if row["trial_kind"] == "catch"]
    assert (row["condition"], row["network"], row["iri_id"], row["stimulus"]) == ("", "", "", "")


def test_one_version_can_be_exported_alone(answered: AnsweredStudy) -> None:
    answered.answer(n=1)
    second = answered.new_version()
    answered.answer(n=2)
    exported = rows("".join(stream_responses_csv(second, mode="real")))
    assert (len(exported), {row["study_version"] for row in exported}) == (22, {"2"})
    assert len(responses(answered)) == 33


def test_responses_are_streamed_with_a_constant_number_of_queries(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    with CaptureQueriesContext(connection) as captured:
        chunks = stream_responses_csv(answered.study, mode="real")
        assert next(chunks).startswith("trial_type,")
        assert sum(chunk.count("\n") for chunk in chunks) == 33
    assert len(captured) <= 10


def test_conditions_carry_their_facts(answered: AnsweredStudy) -> None:
    exported = rows("".join(stream_conditions_csv(answered.study)))
    assert list(exported[0]) == [column.name for column in CONDITION_COLUMNS]
    assert [row["condition"] for row in exported] == ["'-second", "first"]
    first = exported[1]
    assert (first["architecture"], first["is_residual"], first["is_control"]) == ("resnet18", "1", "0")
    assert (first["n_options"], first["chance"], first["n_iris"], first["n_passed"]) == ("2", "0.5", "4", "3")
    assert first["median_relative_error"] == "0.25"
    of_version = "".join(stream_conditions_csv(answered.version))
    assert rows(of_version) == exported


def test_the_data_dictionary_is_the_documented_one() -> None:
    printed = io.StringIO()
    call_command("data_dictionary", stdout=printed)
    documented = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"
    assert documented.read_text() == printed.getvalue(), (
        "python manage.py data_dictionary > docs/data-dictionary.md"
    )
    for name in PROMISED:
        assert f"| `{name}` |" in printed.getvalue()
