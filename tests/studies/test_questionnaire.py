"""Questionnaires: which fields can be asked, and which answers each of them takes."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from survey_site.studies.models import Question, StudyText
from survey_site.studies.questionnaire import AnswerError, Field, checked_answers, fault_of, parse_choices
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.services import open_study
from tests.builders import draft_study

PETS = (("d", "Dog"), ("c", "Cat"))
FIELDS = [
    Field("word", "text", "A word"),
    Field("more", "long_text", "More"),
    Field("age", "number", "Age", minimum=18, maximum=99, is_required=True),
    Field("sure", "scale", "Sure", minimum=1, maximum=7),
    Field("pet", "choice", "Pet", PETS),
    Field("pets", "choices", "Pets", PETS),
]


def test_choices_are_lines_with_a_value_or_a_label_alone() -> None:
    assert parse_choices("d = Dog\n\n Cat \n") == (("d", "Dog"), ("Cat", "Cat"))


def test_answers_are_taken_by_name_without_the_empty_ones() -> None:
    given = {"age": 40.5, "sure": 7.0, "pet": "c", "pets": ["c", "d"], "word": "", "more": None}
    assert checked_answers(FIELDS, given) == {"age": 40.5, "sure": 7, "pet": "c", "pets": ["c", "d"]}


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "age needs an answer"),
        ({"age": 17}, "age is 17; allowed: a number, 18 to 99"),
        ({"age": True}, "age is True; allowed: a number, 18 to 99"),
        ({"age": "40"}, "age is '40'; allowed: a number, 18 to 99"),
        ({"age": 40, "sure": 8}, "sure is 8; allowed: a number, 1 to 7"),
        ({"age": 40, "sure": 1.5}, "sure is 1.5; allowed: whole numbers"),
        ({"age": 40, "pet": "Dog"}, "pet is 'Dog'; allowed: d, c"),
        ({"age": 40, "pet": ["d"]}, "pet is ['d']; allowed: d, c"),
        ({"age": 40, "pets": "d"}, "pets must be a list of choices"),
        ({"age": 40, "pets": ["d", "d"]}, "pets holds a choice twice"),
        ({"age": 40, "word": 3}, "word must be text of at most 300 characters"),
        ({"age": 40, "word": "x" * 301}, "word must be text of at most 300 characters"),
        ({"age": 40, "more": "x" * 4001}, "more must be text of at most 4000 characters"),
        (
            {"age": 40, "shoe": 42},
            "there is no question 'shoe'; there are: word, more, age, sure, pet, pets",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_what_is_allowed(
    answers: dict[str, Any], said: str
) -> None:
    with pytest.raises(AnswerError) as refused:
        checked_answers(FIELDS, answers)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "choice"}, "a choice needs two or more different values"),
        (
            {"kind": "choices", "choices": (("a", "A"), ("a", "B"))},
            "a choice needs two or more different values",
        ),
        (
            {"kind": "number", "minimum": 3, "maximum": 3},
            "the smallest number is 3, the largest 3; it must be larger",
        ),
        ({"kind": "scale"}, "a scale needs a smallest and a largest number, with at most 11 steps"),
        (
            {"kind": "scale", "minimum": 0, "maximum": 11},
            "a scale needs a smallest and a largest number, with at most 11 steps",
        ),
        ({"kind": "scale", "minimum": 0, "maximum": 10}, None),
        ({"kind": "number"}, None),
    ],
)
def test_a_field_that_cannot_be_asked_says_why(changes: dict[str, Any], said: str | None) -> None:
    assert fault_of(Field(**{"name": "x", "label": "X", **changes})) == said


@pytest.mark.django_db
def test_a_question_is_checked_when_it_is_written() -> None:
    question = Question(study=draft_study(n=2), name="pet", kind="choice", label="Pet", choices="Dog")
    with pytest.raises(ValidationError, match="a choice needs two or more different values"):
        question.full_clean()


@pytest.mark.django_db
def test_the_version_holds_the_questions_of_each_language_and_all_languages_ask_the_same() -> None:
    study = draft_study(n=2, n_catch=0)
    english = study.texts.get()
    StudyText.objects.create(
        study=study,
        language="de",
        title="t",
        welcome="w",
        consent="c",
        instructions="i",
        debrief="d",
        refused="r",
    )
    study.questions.create(name="age", kind="number", label="Age", minimum=18)
    assert missing_for_opening(study) == ["the questionnaire in de lacks age"]
    study.questions.create(name="age", kind="number", label="Alter", minimum=18, language="de")
    version = open_study(study=study)
    assert [one["label"] for one in version.texts["de"]["questions"]] == ["Alter"]
    assert [one["minimum"] for one in version.texts[english.language]["questions"]] == [18]
