"""Exclusions of a stored study: decided, recorded, exported, and the figures with and without them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from survey_site.analysis.exclusion_services import exclude_session, include_session
from survey_site.analysis.exports import stream_responses_csv
from survey_site.analysis.management.commands.alignment import summary
from survey_site.analysis.models import Exclusion
from survey_site.analysis.scoring import ScoreSettings
from survey_site.analysis.services import alignment_of, score_study
from survey_site.participation.models import Response, SessionState, StudySession
from survey_site.studies.exclusion_rules import ExclusionError
from survey_site.studies.models import TrialKind
from tests.analysis.answered_study import AnsweredStudy

FEW = ScoreSettings(replicates=200)
CATCH = '[{"rule": "catch_rate", "minimum": 0.75}]'


def fail_catch(session: StudySession) -> None:
    for response in Response.objects.filter(
        presentation__session=session, presentation__trial__kind=TrialKind.CATCH
    ):
        wrong = response.presentation.trial.options.exclude(pk=response.reference.answer_id)[0]
        Response.objects.filter(pk=response.pk).update(option=wrong)


@pytest.fixture
def sessions(answered: AnsweredStudy) -> list[StudySession]:
    """Three of share 1 and one of share 0 who fails the catch trial as well; of a version without rules."""
    return four_sessions(answered)


@pytest.fixture
def strict(answered: AnsweredStudy) -> list[StudySession]:
    """The same of a version that asks for catch trials."""
    answered.new_version(rules=CATCH)
    return four_sessions(answered)


def flow_of(answered: AnsweredStudy, mode: str = "real") -> dict[str, Any]:
    counted: dict[str, Any] = alignment_of(answered.study, mode)["exclusions"]["flow"]
    return counted


def four_sessions(answered: AnsweredStudy) -> list[StudySession]:
    attentive = answered.answer(n=3, share=1)
    return [*attentive, *answered.answer(n=1, share=0)]


def alignment(*args: str) -> dict[str, Any]:
    printed = io.StringIO()
    call_command("alignment", *args, "--json", stdout=printed)
    result: dict[str, Any] = json.loads(printed.getvalue())
    return result


def test_verdicts_are_recorded_with_rule_version_settings_and_reason(
    answered: AnsweredStudy, strict: list[StudySession]
) -> None:
    counted = flow_of(answered)
    exclusion = Exclusion.objects.get()
    assert exclusion.session == strict[3]
    assert (exclusion.rule, exclusion.version, exclusion.settings) == ("catch_rate", 1, {"minimum": 0.75})
    assert exclusion.reason == "0 of 1 catch trials right (0 %), fewer than 75 %"
    assert (counted["assessed"], counted["by_rule"], counted["kept"]) == (4, {"catch_rate": 1}, 3)


def test_scores_leave_them_out_and_carry_the_figures_with_everybody(
    answered: AnsweredStudy, strict: list[StudySession]
) -> None:
    for score in score_study(answered.study, "real", settings=FEW):
        assert (score.estimate, score.n_participants) == (1, 3)
        assert score.exclusions["rules"] == [{"rule": "catch_rate", "version": 1, "minimum": 0.75}]
        assert score.exclusions["n_participants"] == 1
        without = score.exclusions["without"]
        assert (without["score"], without["n_participants"]) == (0.75, 4)


def test_without_rules_nobody_is_left_out(answered: AnsweredStudy, sessions: list[StudySession]) -> None:
    scores = score_study(answered.study, "real", settings=FEW)
    assert [score.estimate for score in scores] == [0.75, 0.75]
    assert scores[0].exclusions == {"rules": [], "n_participants": 0, "without": None}


def test_each_session_is_held_to_the_rules_of_its_own_version(
    answered: AnsweredStudy, sessions: list[StudySession]
) -> None:
    answered.new_version(rules=CATCH)
    later = four_sessions(answered)
    report = alignment_of(answered.study, "real")
    assert [verdict["session"] for verdict in report["exclusions"]["sessions"]] == [str(later[3].pk)]
    assert report["exclusions"]["rules_by_version"] == {
        1: [],
        2: [{"rule": "catch_rate", "version": 1, "minimum": 0.75}],
    }


def test_the_export_says_who_is_left_out_by_what(answered: AnsweredStudy, strict: list[StudySession]) -> None:
    sessions = strict
    alignment_of(answered.study, "real")
    exclude_session(sessions[3], reason="a colleague")
    exclude_session(sessions[0], reason="said so")
    text = "".join(stream_responses_csv(answered.study, mode="real"))
    by_session = {row["session_id"]: row["excluded_by"] for row in csv.DictReader(io.StringIO(text))}
    assert by_session == {
        str(sessions[0].pk): "researcher",
        str(sessions[1].pk): "",
        str(sessions[2].pk): "",
        str(sessions[3].pk): "catch_rate|researcher",
    }


def test_a_researchers_decision_survives_deciding_again_and_can_be_taken_back(
    answered: AnsweredStudy, sessions: list[StudySession]
) -> None:
    exclude_session(sessions[0], reason="a colleague")
    assert flow_of(answered)["by_rule"] == {"researcher": 1}
    assert [score.n_participants for score in score_study(answered.study, "real", settings=FEW)] == [3, 3]
    include_session(sessions[0])
    assert flow_of(answered)["kept"] == 4
    with pytest.raises(ExclusionError, match="has no reason"):
        exclude_session(sessions[0], reason=" ")


def test_pilots_are_decided_apart(answered: AnsweredStudy, strict: list[StudySession]) -> None:
    [pilot] = answered.answer(n=1, mode="pilot", share=0)
    fail_catch(pilot)
    assert flow_of(answered, "pilot")["assessed"] == 1
    assert Exclusion.objects.get().session == pilot


def test_unfinished_sessions_count_and_are_told_unless_a_rule_leaves_them_out(
    answered: AnsweredStudy, sessions: list[StudySession]
) -> None:
    StudySession.objects.filter(pk=sessions[0].pk).update(state=SessionState.RUNNING)
    report = alignment_of(answered.study, "real")
    assert report["unfinished"] == {"sessions": 1, "responses": 10}
    assert "10 scored answers of 1 unfinished session are included." in report["methods"]
    assert report["exclusions"]["flow"]["kept"] == 4

    answered.new_version(rules='[{"rule": "unfinished"}]')
    [later] = answered.answer(n=1, share=1)
    StudySession.objects.filter(pk=later.pk).update(state=SessionState.RUNNING)
    report = alignment_of(answered.study, "real", version=answered.version)
    assert report["unfinished"] == {"sessions": 0, "responses": 0}
    assert report["exclusions"]["sessions"][0]["reason"] == "the session did not come to its end"


def test_an_incomplete_session_is_seen_from_what_it_was_to_answer(answered: AnsweredStudy) -> None:
    answered.new_version(rules='[{"rule": "incomplete"}]')
    sessions = four_sessions(answered)
    Response.objects.filter(
        pk=Response.objects.filter(
            presentation__session=sessions[1], presentation__trial__condition__slug="first"
        )[0].pk
    ).delete()
    alignment_of(answered.study, "real")
    exclusion = Exclusion.objects.get()
    assert (exclusion.session, exclusion.reason) == (sessions[1], "answered 5 of 6 main trials")


def test_the_command_prints_everything(answered: AnsweredStudy, strict: list[StudySession]) -> None:
    sessions, report = strict, alignment("faces")
    assert (report["study"], report["mode"], report["rows"]["scored"]) == ("faces", "real", 30)
    assert set(report["versions"]) == {"code", "numpy", "scipy"}
    assert report["settings"]["rng_seed"] == 2023
    assert report["exclusions"]["flow"] == {
        "assessed": 4,
        "by_rule": {"catch_rate": 1},
        "any_rule": {"catch_rate": 1},
        "kept": 3,
    }
    assert report["exclusions"]["sessions"][0]["session"] == str(sessions[3].pk)
    assert [score["score"] for score in report["scores"]] == [1, 1]
    assert [score["score"] for score in report["scores_without_exclusions"]] == [0.75, 0.75]
    matching, first = report["scores"]
    assert first["side_bias"]["n"] == 12
    assert "undefined" in matching["side_bias"]
    assert first["reaction_times"]["all"]["median"] == 512.25
    assert first["ceiling"] == {"lower": 1, "upper": 1, "n": 12, "n_units": 4}
    assert first["normalised"]["by_lower_ceiling"] == {
        "undefined": "the ceiling 1.000 (95% interval 0.292 to 1.000) is not clearly above chance 0.500; "
        "nothing to scale by"
    }
    assert first["krippendorff_alpha"] == {"undefined": "all ratings are the same; alpha is undefined"}
    assert report["factors"]["is_residual"][0]["condition"] == "1"
    assert "undefined" in report["mixed_model"]
    assert report["retest"] == {"undefined": "no repeated trial was answered both times"}
    assert alignment("faces") == report


def test_other_rules_are_tried_and_nothing_is_saved(
    answered: AnsweredStudy, sessions: list[StudySession], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text(CATCH)
    report = alignment("faces", "--rules", str(rules))
    assert report["exclusions"]["flow"]["by_rule"] == {"catch_rate": 1}
    assert [score["score"] for score in report["scores"]] == [1, 1]
    assert not Exclusion.objects.exists()
    assert [score["score"] for score in alignment("faces")["scores"]] == [0.75, 0.75]


def test_the_methods_paragraph_has_the_actual_numbers(
    answered: AnsweredStudy, strict: list[StudySession]
) -> None:
    text = alignment("faces")["methods"]
    assert text.startswith(
        "4 participants gave answers; those of 3 are analysed (30 scored answers in 2 cond"
    )
    assert "catch rate (version 1, minimum 0.75; n = 1)." in text
    assert "10,000 replicates" in text
    assert "RNG seed 2023" in text
    assert (
        "1 pair of conditions whose numbers of options differ, and with them chance, was not compared."
        in text
    )
    assert "compared within participants" not in text
    assert "mixed model" not in text  # all answers are right: there is none
    assert "numpy" in text
    assert "on version 2 (SHA-256 2) of the study “faces”." in text


def test_the_methods_paragraph_says_that_nobody_was_excluded(
    answered: AnsweredStudy, sessions: list[StudySession]
) -> None:
    everybody = alignment("faces")["methods"]
    assert "Nobody was excluded by a rule." in everybody
    assert "crossed random effects was fitted by Laplace's approximation to 40 answers" in everybody
    assert "it has no term for participant by item or by condition." in everybody


def test_a_version_counts_its_own_sessions(answered: AnsweredStudy, strict: list[StudySession]) -> None:
    answered.new_version()
    answered.answer(n=2, share=1)
    first, second = (alignment("faces", "--study-version", number) for number in ("2", "3"))
    assert (first["exclusions"]["flow"]["assessed"], first["exclusions"]["flow"]["kept"]) == (4, 3)
    assert (second["exclusions"]["flow"]["assessed"], second["exclusions"]["flow"]["kept"]) == (2, 2)
    assert second["exclusions"]["sessions"] == []


def test_its_scores_are_the_stored_ones(answered: AnsweredStudy) -> None:
    answered.answer(n=5)
    stored = score_study(answered.study, "real")
    report = alignment("faces")
    for score, printed in zip(stored, report["scores"], strict=True):
        assert (score.condition.slug, score.estimate) == (printed["condition"], printed["score"])
        assert score.intervals == printed["intervals"]
    assert report["mixed_model"]["n"] == 50


def test_score_csv_leaves_the_same_people_out(
    answered: AnsweredStudy, strict: list[StudySession], tmp_path: Path
) -> None:
    stored = score_study(answered.study, "real")
    file = tmp_path / "responses.csv"
    file.write_text("".join(stream_responses_csv(answered.study, mode="real")), newline="")
    printed = io.StringIO()
    call_command("score_csv", str(file), "--json", stdout=printed)
    report = json.loads(printed.getvalue())
    assert report["rows"]["excluded"] == 10
    for score, kept, everybody in zip(
        stored, report["conditions"], report["conditions_without_exclusions"], strict=True
    ):
        assert (kept["score"], kept["n"]) == (score.estimate, score.n)
        assert (kept["twoway_low"], kept["crossed_high"]) == (
            score.interval("twoway").low,
            score.interval("crossed").high,
        )
        assert everybody["score"] == score.exclusions["without"]["score"] == 0.75


def test_a_summary_is_printed_by_default(answered: AnsweredStudy, sessions: list[StudySession]) -> None:
    printed = io.StringIO()
    call_command("alignment", "faces", stdout=printed)
    lines = printed.getvalue().splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["condition", "-second", "first"]
    assert lines[3] == "4 of 4 sessions kept."
    assert lines[2].endswith("  -")  # four people: no ceiling is clearly above chance


@pytest.mark.parametrize(
    ("normalised", "said"),
    [
        ({"value": 0.5, "low": 0.25, "high": 0.875, "note": ""}, "0.500 (0.250 - 0.875)"),
        ({"value": 1, "low": None, "high": None, "note": "no interval"}, "1.000"),
    ],
)
def test_the_summary_has_normalised_scores(
    answered: AnsweredStudy, sessions: list[StudySession], normalised: dict[str, Any], said: str
) -> None:
    report = alignment("faces")
    for score in report["scores"]:
        score["normalised"] = {"by_lower_ceiling": normalised}
    assert [line.endswith(f"  {said}") for line in summary(report).splitlines()[1:3]] == [True, True]


def test_a_study_without_answers_says_so(answered: AnsweredStudy) -> None:
    printed, warned = io.StringIO(), io.StringIO()
    call_command("alignment", "faces", "--json", stdout=printed, stderr=warned)
    report = json.loads(printed.getvalue())
    assert report["scores"] == []
    assert report["conditions_without_answers"] == ["-second", "first"]
    assert "faces has no answers of mode real" in warned.getvalue()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nope"], "no study has the slug 'nope'; studies: faces"),
        (["faces", "--study-version", "9"], "faces has no version 9; versions: 1"),
        (["faces", "--margin", "5"], "--margin is 5.0; it must lie between 0 and 1"),
        (["faces", "--rules", "/nowhere/rules.json"], "cannot be read: No such file"),
    ],
)
def test_what_does_not_exist_is_named(answered: AnsweredStudy, args: list[str], message: str) -> None:
    with pytest.raises(CommandError) as error:
        call_command("alignment", *args)
    assert message in str(error.value)


def test_rules_that_make_no_sense_are_refused_with_the_file(answered: AnsweredStudy, tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text('[{"rule": "sleepy"}]')
    with pytest.raises(CommandError, match=r"rules\.json: rule is 'sleepy'"):
        call_command("alignment", "faces", "--rules", str(path))
    path.write_text('[{"rule": "researcher"}]')
    with pytest.raises(CommandError, match="one by one, each with its reason"):
        call_command("alignment", "faces", "--rules", str(path))
