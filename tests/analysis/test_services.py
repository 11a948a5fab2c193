"""The stored scores, and that score_csv gives the same from the exported file."""

import io
import json
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from survey_site.analysis.exports import stream_responses_csv
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.scoring import ScoreSettings
from survey_site.analysis.services import score_study
from survey_site.participation.models import Response
from survey_site.studies.models import StudyVersion
from tests.analysis.answered_study import AnsweredStudy


def scored_from_file(answered: AnsweredStudy, path: Path, source: StudyVersion | None = None) -> list[dict]:
    path.write_text("".join(stream_responses_csv(source or answered.study, mode="real")), newline="")
    printed = io.StringIO()
    call_command("score_csv", str(path), "--json", stdout=printed)
    return json.loads(printed.getvalue())["conditions"]


def figures(score: AlignmentScore) -> dict[str, object]:
    names = ("wilson", "bootstrap", "twoway", "crossed")
    return {
        "condition": score.condition.slug,
        "n": score.n,
        "score": score.estimate,
        "n_participants": score.n_participants,
        "n_items": score.n_items,
        "chance": score.chance,
        **{f"{name}_low": score.interval(name).low for name in names},
        **{f"{name}_high": score.interval(name).high for name in names},
    }


def test_score_csv_gives_the_stored_figures_to_the_last_bit(answered: AnsweredStudy, tmp_path: Path) -> None:
    answered.answer(n=7)
    answered.answer(n=2, mode="pilot", share=0)
    scores = score_study(answered.study, "real")
    from_file = scored_from_file(answered, tmp_path / "responses.csv")
    assert [condition["condition"] for condition in from_file] == ["-second", "first"]
    for score, condition in zip(scores, from_file, strict=True):
        assert figures(score) == {name: condition[name] for name in figures(score)}


def test_a_score_carries_what_made_it(answered: AnsweredStudy) -> None:
    answered.answer(n=5, share=1)
    score = score_study(answered.study, "real")[1]
    score.refresh_from_db()
    assert (score.estimate, score.n, score.hits, score.n_participants, score.n_items) == (1, 20, 20, 5, 4)
    assert (score.chance, score.version, score.mode) == (1 / 2, None, "real")
    assert score.settings == {"confidence": 0.95, "replicates": 10_000, "rng_seed": 2023}
    assert set(score.versions) == {"code", "numpy", "scipy"}
    assert score.interval().note == "no spread between clusters: Clopper-Pearson on 4"


def test_matching_trials_count_each_reference_and_know_their_chance(answered: AnsweredStudy) -> None:
    answered.answer(n=5, share=0)
    score = score_study(answered.study, "real")[0]
    assert (score.condition.slug, score.n, score.hits, score.n_items) == ("-second", 30, 0, 2)
    assert score.chance == pytest.approx(1 / 3)
    assert score.d_prime is None


def test_real_and_pilot_are_scored_apart(answered: AnsweredStudy) -> None:
    answered.answer(n=3, share=1)
    answered.answer(n=3, mode="pilot", share=0)
    assert [score.estimate for score in score_study(answered.study, "real")] == [1, 1]
    assert [score.estimate for score in score_study(answered.study, "pilot")] == [0, 0]


def test_versions_are_scored_together_or_alone(answered: AnsweredStudy, tmp_path: Path) -> None:
    first = answered.version
    answered.answer(n=3, share=1)
    second = answered.new_version()
    answered.answer(n=3, share=0)
    assert [score.estimate for score in score_study(answered.study, "real")] == [0.5, 0.5]
    assert [score.estimate for score in score_study(answered.study, "real", version=first)] == [1, 1]
    assert [score.estimate for score in score_study(answered.study, "real", version=second)] == [0, 0]
    assert AlignmentScore.objects.count() == 6
    from_file = scored_from_file(answered, tmp_path / "responses.csv", second)
    assert [condition["score"] for condition in from_file] == [0, 0]


def test_scoring_again_replaces_and_forgets(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    before = [score.pk for score in score_study(answered.study, "real")]
    answered.answer(n=1)
    again = score_study(answered.study, "real", settings=ScoreSettings(replicates=200))
    assert [score.pk for score in again] == before
    assert [score.n_participants for score in again] == [4, 4]
    Response.objects.filter(presentation__trial__condition__slug="first").delete()
    assert [score.condition.slug for score in score_study(answered.study, "real")] == ["-second"]
    assert AlignmentScore.objects.of_study(answered.study, "real").count() == 1


def test_catch_trials_and_time_outs_are_not_scored(answered: AnsweredStudy) -> None:
    answered.answer(n=2, share=1)
    main = Response.objects.filter(presentation__trial__condition__slug="first")
    main.filter(pk=main.order_by("pk")[0].pk).update(option=None, timed_out=True)
    score = score_study(answered.study, "real")[1]
    assert (score.n, score.estimate) == (7, 1)


def test_a_study_without_responses_has_no_scores(answered: AnsweredStudy) -> None:
    assert score_study(answered.study, "real") == []


def test_the_number_of_queries_does_not_grow_with_the_responses(answered: AnsweredStudy) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            score_study(answered.study, "real", settings=ScoreSettings(replicates=100))
        return len(captured)

    answered.answer(n=2)
    queries()
    few = queries()
    answered.answer(n=4)
    assert queries() == few
