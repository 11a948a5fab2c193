"""Simulated observers in a study's report: figures, tables, and when they are computed anew."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.template.loader import render_to_string

from survey_site.analysis import observing
from survey_site.analysis.document import document_of
from survey_site.analysis.exports import stream_judgements_csv, stream_responses_csv
from survey_site.analysis.figures.catalogue import figures_of
from survey_site.analysis.figures.observers import COLUMNS
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS
from survey_site.analysis.models import ObserverJudgement, StudyResults
from survey_site.analysis.observer_view import observer_tables
from survey_site.analysis.observing import request_observations
from survey_site.analysis.results import compute_results, due_results, refresh_results
from survey_site.analysis.services import alignment_of
from survey_site.studies.models import Condition
from tests.analysis.answered_study import AnsweredStudy
from tests.analysis.test_observing import STAMP, judge

pytestmark = pytest.mark.django_db

TRANSFER = {"n": 4, "stir": 0.8, "stir_start": 0.3, "cosine": 0.9, "cosines": [0.9] * 4}


def five_conditions(answered: AnsweredStudy) -> AnsweredStudy:
    """Three more, one of them a control, answered by eight people."""
    for number, name in enumerate(("third", "fourth", "control")):
        base = answered.conditions["first"]
        answered.conditions[name] = Condition.objects.create(
            study=answered.study, slug=name, layer=base.layer, recipe=base.recipe, image_set=base.image_set,
            iri_seed=number, shows="target" if name == "control" else "iri",
        )  # fmt: skip
        for _ in range(4):
            answered.trials.append(answered.add_trial(name, n_options=2, n_references=1))
    answered.answer(n=8)
    return answered


def observed(answered: AnsweredStudy) -> AnsweredStudy:
    """As SSIM and a network judged it; LPIPS has no weights."""
    ssim, net, lpips = request_observations(
        study=answered.study, observers=["ssim", "network:resnet:avgpool", "lpips-alex"]
    )
    judge(ssim, {"first": 0, "-second": 0.5, "third": 1, "fourth": 1, "control": 1})
    for condition in answered.study.conditions.all():
        observing.record_condition(net, condition, [], [1, 0.5], **STAMP, transfer=TRANSFER)
    judge(net, {"first": 1, "-second": 0, "third": 0, "fourth": 1, "control": 1})
    observing.fail_observation(lpips, reason="there is no alexnet-owt-7be5be79.pth", can_pass=False)
    return answered


@pytest.fixture
def judged(answered: AnsweredStudy) -> AnsweredStudy:
    network = answered.conditions["first"].layer.network
    network.state = "ready"
    network.save()
    return observed(five_conditions(answered))


def report_of(answered: AnsweredStudy) -> dict[str, Any]:
    return alignment_of(answered.study, "real")


def test_the_report_has_correlations_with_both_intervals(judged: AnsweredStudy) -> None:
    observers = {one["observer"]: one for one in report_of(judged)["observers"]}
    ssim = observers["ssim"]
    assert ssim["pearson"]["n"] == 4
    assert ssim["pearson"]["low"] <= ssim["pearson"]["estimate"] <= ssim["pearson"]["high"]
    assert ssim["resampled"]["replicates"] == 2000
    low, high = (ssim["resampled"]["pearson"][end] for end in ("low", "high"))
    assert -1 <= low < high <= 1
    assert observers["lpips-alex"]["state"] == "unavailable"
    assert "undefined" in observers["lpips-alex"]["resampled"]


def test_people_in_the_report_are_those_of_its_scores(judged: AnsweredStudy) -> None:
    report = report_of(judged)
    scores = {score["condition"]: score for score in report["scores"]}
    for score in report["observers"][0]["scores"]:
        assert score["people"] == scores[score["condition"]]["score"]
        assert score["people_low"] == scores[score["condition"]]["intervals"]["twoway"]["low"]


def test_the_scatter_is_drawn_described_and_has_its_data(judged: AnsweredStudy) -> None:
    figure = next(one for one in figures_of(report_of(judged)) if one.name == "observers")
    assert figure.description.startswith(
        "People against observers by condition. resnet · avgpool (Pearson's r"
    )
    assert "SSIM (Pearson's r" in figure.description
    assert "LPIPS" not in figure.description
    lines = figure.csv().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert len(lines) == 1 + 2 * 5
    assert "<title" in figure.svg()


def test_without_observers_there_is_no_figure_and_no_section(answered: AnsweredStudy) -> None:
    answered.answer(n=3)
    report = report_of(answered)
    assert report["observers"] == []
    assert "observers" not in {figure.name for figure in figures_of(report)}
    tables = observer_tables(report, {})
    assert render_to_string("analysis/results/observers.html", {"observers": tables}).strip() == ""


def test_the_tables_show_scores_transfer_and_why_an_observer_is_missing(judged: AnsweredStudy) -> None:
    stored = compute_results(judged.study, "real")
    document = document_of(stored, source=lambda image: "")
    tables = document["observers"]
    assert [one["label"] for one in tables["asked"]] == ["LPIPS alex", "resnet · avgpool", "SSIM"]
    assert [one["label"] for one in tables["scored"]] == ["resnet · avgpool", "SSIM"]
    assert [one["label"] for one in tables["networks"]] == ["resnet · avgpool"]
    page = render_to_string("analysis/results/document.html", document)
    assert "there is no alexnet-owt-7be5be79.pth" in page
    assert "STIR (Nanda et al. 2022)" in page
    assert 'id="figure-observers"' in page
    row = next(one for one in tables["transfers"] if one["condition"] == "first")
    assert row["cells"][0]["transfer"] == {"stir": 0.8, "stir_start": 0.3, "cosine": 0.9, "n": 4}


def test_results_are_due_again_when_an_observer_is_asked_or_has_judged(judged: AnsweredStudy) -> None:
    due_again_after(judged, lambda: request_observations(study=judged.study, observers=["pixel-l2"]))
    ssim = judged.study.observations.get(observer="ssim")
    due_again_after(judged, lambda: observing.finish_observation(ssim, **STAMP, provenance={}))
    waiting = judged.study.observations.get(observer="pixel-l2")
    due_again_after(judged, lambda: observing.fail_observation(waiting, reason="no", can_pass=False))


def due_again_after(judged: AnsweredStudy, change: Callable[[], object]) -> None:
    refresh_results()
    StudyResults.objects.update(rests_until=Now() - timedelta(seconds=1))
    assert due_results() == []
    change()
    assert [(study.slug, mode) for study, mode, _ in due_results()] == [("faces", "real")]


def test_judgements_are_exported_with_the_responses_ids(judged: AnsweredStudy) -> None:
    exported = list(csv.DictReader("".join(stream_judgements_csv(judged.study)).splitlines()))
    assert list(exported[0]) == [column.name for column in JUDGEMENT_COLUMNS]
    ssim = [row for row in exported if row["observer"] == "ssim"]
    assert {row["condition"] for row in ssim} == {"first", "'-second", "third", "fourth", "control"}
    credits = [float(row["credit"]) for row in ssim if row["condition"] == "third"]
    assert credits == [1.0] * 4
    answered_trials = {
        row["trial_id"]
        for row in csv.DictReader("".join(stream_responses_csv(judged.study, mode="real")).splitlines())
    }
    assert {row["trial_id"] for row in ssim} <= answered_trials


def test_judgements_of_older_weights_are_not_exported(judged: AnsweredStudy) -> None:
    everything = len("".join(stream_judgements_csv(judged.study)).splitlines())
    ssim = ObserverJudgement.objects.filter(observer="ssim").count()
    ObserverJudgement.objects.filter(observer="ssim").update(weights_sha256="0" * 64)
    assert len("".join(stream_judgements_csv(judged.study)).splitlines()) == everything - ssim
