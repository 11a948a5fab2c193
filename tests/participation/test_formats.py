"""Every format by the one trial and response model: manifest, answers, bots, export and score."""

import csv
import io
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.live_server_helper import LiveServer

from survey_site.analysis.exports import stream_responses_csv
from survey_site.analysis.services import score_study
from survey_site.participation.models import Mode, Presentation, Response
from survey_site.studies.models import Study
from survey_site.studies.services import open_study
from tests.builders import draft_study, icon_image_of
from tests.participation.visitor import Visitor, counts, response, running

pytestmark = pytest.mark.django_db


def study_of(format: str, n_options: int, **settings: Any) -> Study:
    """An open study of six IRIs (two labels with an icon each), asked about in the format."""
    study = draft_study(n=6, **settings)
    condition = study.conditions.get()
    for number, target in enumerate(condition.image_set.targets.all()):
        target.label = ("cat", "dog")[number % 2]
        target.save()
    condition.format, condition.n_options = format, n_options
    condition.save()
    if format == "classification":
        for label in ("cat", "dog"):
            study.icons.create(label=label, image=icon_image_of(label))
    study.questions.create(name="age", kind="number", label="Age", minimum=18, maximum=99, is_required=True)
    study.questions.create(name="pet", kind="choice", label="Pet", choices="Dog\nCat", is_required=True)
    open_study(study=study)
    return study


FORMATS = [("two_afc", 2), ("matching", 3), ("classification", 2), ("odd_one_out", 3)]


@pytest.mark.parametrize(("format", "n_options"), FORMATS)
def test_the_manifest_shows_what_the_format_shows(format: str, n_options: int) -> None:
    study_of(format, n_options)
    for shown in running().presentations():
        assert (shown["format"], len(shown["options"])) == (format, n_options)
        images = [one["image"] for one in shown["references"]]
        assert len(images) == (3 if format == "matching" else 1)
        assert all(images) == (format != "odd_one_out")
        assert all(option["image"] for option in shown["options"])
        labels = {option["label"] for option in shown["options"]}
        assert labels == ({"cat", "dog"} if format == "classification" else {None})


def test_a_session_keeps_one_order_of_labels() -> None:
    study_of("classification", 2)
    orders = {tuple(option["label"] for option in shown["options"]) for shown in running().presentations()}
    assert len(orders) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("format", "n_options"), FORMATS)
def test_bots_answer_it_and_the_score_and_its_chance_come_out(
    live_server: LiveServer, broker: Any, format: str, n_options: int
) -> None:
    study = study_of(format, n_options, n_practice=1, practice_pass=1, confidence_levels=3)
    call_command(
        "simulate_participants", "faces", "--n", "3", "--p-target", "1", "--url", live_server.url,
        stdout=io.StringIO(),
    )  # fmt: skip
    (score,) = score_study(study, Mode.PILOT)
    assert score.estimate == 1
    assert score.chance == pytest.approx(1 / n_options)
    assert score.n == 3 * 6  # six IRIs a person, however many a trial asks about
    rows = list(csv.DictReader(io.StringIO("".join(stream_responses_csv(study, mode="pilot")))))
    main = [row for row in rows if row["trial_kind"] == "main"]
    assert {row["trial_format"] for row in rows} == {format}
    assert {row["n_options"] for row in rows} == {str(n_options)}
    assert {row["confidence"] for row in rows} <= {"1", "2", "3"}
    assert len({row["iri_id"] for row in main}) == 6
    assert {row["target_label"] for row in main} == {"cat", "dog"}
    assert all(row["options"].split("|")[int(row["response"])] for row in main)
    assert len({(row["presentation_id"], row["reference_index"]) for row in rows}) == len(rows)


@pytest.mark.django_db(transaction=True)
def test_bots_that_never_choose_the_target_score_nothing_in_matching(
    live_server: LiveServer, broker: Any
) -> None:
    study = study_of("matching", 3)
    call_command(
        "simulate_participants", "faces", "--n", "2", "--p-target", "0", "--url", live_server.url,
        stdout=io.StringIO(),
    )  # fmt: skip
    assert [one.estimate for one in score_study(study, Mode.PILOT)] == [0]


def matched(seq: int, shown: dict[str, Any], *options: int | None, **changes: Any) -> dict[str, Any]:
    answers = [{"reference": index, "option": option} for index, option in enumerate(options)]
    return response(seq, shown, answers=answers, **changes)


def refusal(visitor: Visitor, entry: dict[str, Any]) -> tuple[int, str, str]:
    before = counts()
    answer = visitor.log(entry)
    assert counts() == before
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


def test_a_matching_answer_gives_every_reference_an_option_of_its_own() -> None:
    study_of("matching", 3)
    visitor = running()
    shown = visitor.presentations()[0]
    assert refusal(visitor, matched(1, shown, 0, 0, 1)) == (
        400,
        "invalid_option",
        "options are [0, 0, 1]; in matching each is chosen once",
    )
    assert refusal(visitor, matched(1, shown, 0, 1))[1] == "invalid_reference"
    assert refusal(visitor, matched(1, shown, 0, 1, 3))[2] == "option is 3; allowed: 0 to 2"
    assert visitor.log(matched(1, shown, 2, 0, 1)).status_code == 200
    rows = Response.objects.order_by("reference__index")
    order = Presentation.objects.get(pk=shown["id"]).option_order
    assert [row.option.index for row in rows if row.option] == [order[2], order[0], order[1]]


def test_a_matching_trial_that_timed_out_has_no_options() -> None:
    study_of("matching", 3, time_limit_ms=2500)
    visitor = running()
    entry = matched(1, visitor.presentations()[0], None, None, None, timed_out=True, rt=None, rt_raw_ms=None)
    assert visitor.log(entry).status_code == 200
    assert Response.objects.filter(option=None, timed_out=True).count() == 3


@pytest.mark.parametrize(
    ("levels", "given", "said"),
    [
        (3, 4, "confidence is 4; allowed here: 1, 2, 3"),
        (3, None, "confidence is None; allowed here: 1, 2, 3"),
        (None, 2, "confidence is 2; allowed here: None"),
        (6, 7, "Expected `int` <= 6 - at `entries[0].payload.confidence`"),
    ],
)
def test_confidence_is_what_the_study_asks_for(levels: int | None, given: int | None, said: str) -> None:
    study_of("two_afc", 2, confidence_levels=levels, time_limit_ms=2500)
    visitor = running()
    shown = visitor.presentations()[0]
    status, code, detail = refusal(visitor, response(1, shown, confidence=given))
    assert (status, code) in {(400, "invalid_confidence"), (400, "invalid")}
    assert said in detail
    assert visitor.log(response(1, shown, confidence=levels)).status_code == 200
    late: dict[str, Any] = {"timed_out": True, "rt": None, "rt_raw_ms": None}
    timed_out = response(2, visitor.presentations()[1], None, **late, confidence=1)
    assert refusal(visitor, timed_out)[2] == "confidence is 1; allowed here: None"


def test_a_repeat_comes_later_with_sides_swapped_and_names_what_it_repeats() -> None:
    study_of("two_afc", 2, n_repeats=2, repeat_distance=3, n_catch=1)
    visitor = running()
    session = visitor.session
    repeats = list(session.presentations.exclude(repeat_of=None).select_related("repeat_of"))
    assert len(repeats) == 2
    for again in repeats:
        first = again.repeat_of
        assert first is not None
        assert (again.trial_id, again.option_order) == (first.trial_id, first.option_order[::-1])
        assert again.position - first.position >= 3
    assert "repeat" not in visitor.manifest().content.decode()


def test_the_attempt_that_was_answered_is_kept() -> None:
    study_of("two_afc", 2)
    visitor = running()
    first, second = visitor.presentations()[:2]
    visitor.log(response(1, first, attempt=3), response(2, second))
    assert [row.attempt for row in visitor.session.presentations.order_by("position")[:2]] == [3, 1]
    assert refusal(visitor, response(3, visitor.presentations()[2], attempt=0))[1] == "invalid"
