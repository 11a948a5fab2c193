"""Answers to the questionnaire, as a person's CSV reader reads them."""

import csv
import io

import pytest

from survey_site.analysis.exports import stream_questionnaire_csv
from survey_site.analysis.questionnaire_columns import QUESTIONNAIRE_PATHS, QuestionnaireFields
from survey_site.studies.models import Study
from survey_site.studies.services import open_study
from tests.builders import draft_study
from tests.participation.visitor import Visitor, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    study = draft_study(n=2, n_catch=0)
    for name, kind in (("words", "long_text"), ("age", "number"), ("pets", "choices"), ("note", "text")):
        choices = "cat\ndog\nowl" if kind == "choices" else ""
        study.questions.create(name=name, kind=kind, label=name, choices=choices)
    open_study(study=study)
    return study


def answered(visitor: Visitor, **answers: object) -> str:
    entry = {"seq": 1, "kind": "questionnaire", "payload": {"answers": answers}}
    assert visitor.log(entry).status_code == 200
    return str(visitor.session.pk)


def rows(study: Study, mode: str = "real") -> list[dict[str, str]]:
    text = "".join(stream_questionnaire_csv(study, mode=mode))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_every_answer_is_a_row_and_no_answer_is_none(study: Study) -> None:
    assert len(QUESTIONNAIRE_PATHS) == len(QuestionnaireFields._fields)
    words = '=cmd(), "quoted"\nand more'
    session = answered(running(), words=words, age=-4.5, pets=["cat", "owl"])
    pilot = Visitor()
    pilot.start(mode="pilot")
    pilot.consent()
    answered(pilot, age=30)
    found = rows(study)
    assert {row["session_id"] for row in found} == {session}
    assert {row["question"]: row["answer"] for row in found} == {
        "words": f"'{words}",
        "age": "-4.5",
        "pets": "cat|owl",
    }
    assert {(row["study"], row["study_version"], row["mode"], row["language"]) for row in found} == {
        ("faces", "1", "real", "en")
    }
    assert [row["answer"] for row in rows(study, "pilot")] == ["30"]
    whole = "".join(stream_questionnaire_csv(study.versions.get(), mode="real"))
    assert list(csv.DictReader(io.StringIO(whole, newline=""))) == found
