"""The questionnaire after the trials: in the manifest, stored once, and needed to finish."""

from typing import Any

import pytest

from survey_site.participation.models import QuestionnaireAnswer
from survey_site.studies.services import open_study
from tests.builders import draft_study, opened_study
from tests.participation.visitor import Visitor, counts, response, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor() -> Visitor:
    study = draft_study(n=2, n_catch=0, trials_per_participant=1, completion_code="DONE")
    study.questions.create(name="age", kind="number", label="Age", minimum=18, is_required=True)
    study.questions.create(name="pets", kind="choices", label="Pets", choices="Dog\nCat", position=2)
    open_study(study=study)
    return running()


def answers(seq: int, **given: Any) -> dict[str, Any]:
    return {"seq": seq, "kind": "questionnaire", "payload": {"answers": given}}


def test_it_is_told_stored_and_needed_to_finish(visitor: Visitor) -> None:
    manifest = visitor.manifest().json()
    assert [question["name"] for question in manifest["questions"]] == ["age", "pets"]
    assert manifest["questionnaire_open"] is True
    visitor.log(response(1, visitor.presentations()[0]))
    done = visitor.finish(1).json()
    assert (done["complete"], done["unanswered"], done["questionnaire_open"]) == (False, [], True)
    assert visitor.log(answers(2, age=40, pets=["Cat"])).status_code == 200
    assert visitor.manifest().json()["questionnaire_open"] is False
    assert visitor.finish(2).json()["completion_code"] == "DONE"
    stored = QuestionnaireAnswer.objects.values_list("name", "value")
    assert dict(stored) == {"age": 40, "pets": ["Cat"]}


def test_the_same_again_changes_nothing_and_another_is_a_conflict(visitor: Visitor) -> None:
    assert visitor.log(answers(1, age=40)).status_code == 200
    assert visitor.log(answers(1, age=40)).status_code == 200
    assert visitor.log(answers(1, age=41)).json()["code"] == "conflict"
    refused = visitor.log(answers(2, age=40))
    assert (refused.status_code, refused.json()["code"], refused.json()["seq"]) == (
        409,
        "already_answered",
        2,
    )
    assert QuestionnaireAnswer.objects.count() == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"answers": {"age": 12}}, "age is 12; allowed: a number, 18 to any"),
        ({"answers": {}}, "age needs an answer"),
        ({"answers": {"age": 40, "shoe": 1}}, "there is no question 'shoe'; there are: age, pets"),
        ({"answers": [40]}, "answers must be an object by question"),
        ({}, "answers must be an object by question"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_stored(
    visitor: Visitor, payload: dict[str, Any], said: str
) -> None:
    before = counts()
    refused = visitor.log({"seq": 1, "kind": "questionnaire", "payload": payload})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_answers")
    assert refused.json()["detail"] == said
    assert (counts(), QuestionnaireAnswer.objects.count()) == (before, 0)


def test_a_study_without_questions_takes_none() -> None:
    opened_study(n=2)
    refused = running().log(answers(1, age=40))
    assert refused.json()["detail"] == "there is no question 'age'; there are: none"
