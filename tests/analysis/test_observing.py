"""Observers asked, claimed, given up and compared: what the web does without torch."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.db.models.functions import Now

from survey_site.access.models import AuditEvent
from survey_site.analysis import observing
from survey_site.analysis.models import Observation, ObservationState, ObserverJudgement
from survey_site.analysis.observer_names import label, network_layer
from survey_site.analysis.observer_services import compare_observers
from survey_site.analysis.observing import Judged, ObserverRefused, request_observations
from survey_site.analysis.services import score_study
from survey_site.studies.models import Condition, Study, TrialReference
from tests.analysis.answered_study import AnsweredStudy
from tests.builders import network, opened_study

pytestmark = pytest.mark.django_db

STAMP = {"version": "1", "weights_sha256": "w"}


def asked(study: Study, *names: str) -> list[Observation]:
    return request_observations(study=study, observers=names or ("ssim",))


def claimed() -> Observation:
    found = observing.claim_observation(queue="iri.cpu")
    assert found is not None
    return found


def state(observation: Observation) -> str:
    observation.refresh_from_db()
    return observation.state


def judge(observation: Observation, credits: dict[Any, float | None]) -> None:
    """Store a judgement of the given credit for every reference, by its condition's slug."""
    judged = []
    for reference in observing.unjudged(observation, **STAMP):
        credit = credits[reference.trial.condition.slug]  # type: ignore[union-attr]
        options = list(reference.trial.options.all())
        places = [option.pk for option in options]
        right = places.index(reference.answer_id)
        nearest = [right] if credit == 1 else [(right + 1) % len(places)] if credit == 0 else [0, 1]
        nearest = [] if credit is None else nearest
        judged.append(Judged(reference, options, [0.5] * len(options), nearest, credit))
    observing.record_judgements(observation, judged, **STAMP)
    observing.finish_observation(observation, **STAMP, provenance={})


def test_names_of_network_layers_are_read_and_shown() -> None:
    layer = network_layer("network:resnet:layer4.1#class")
    assert layer is not None
    assert (layer.network, layer.layer, layer.name) == (
        "resnet", "layer4.1#class", "network:resnet:layer4.1#class"
    )  # fmt: skip
    assert network_layer("ssim") is None
    assert [label(name) for name in ("lpips-vgg-baseline", "network:resnet:fc")] == [
        "LPIPS vgg, baseline",
        "resnet · fc",
    ]


def test_asking_is_logged_and_asking_again_finds_the_same_row() -> None:
    study = opened_study()
    (first,) = asked(study)
    observing.fail_observation(first, reason="no weights", can_pass=False)
    (second,) = asked(study)
    assert (second.pk, state(second), second.reason) == (first.pk, ObservationState.WAITING, "")
    assert [event.detail for event in AuditEvent.objects.filter(action="ask observers")] == [
        {"observers": ["ssim"]}
    ] * 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lpips", "there is no observer 'lpips'; allowed: pixel-l2, ssim, .*, or network:SLUG:LAYER"),
        ("network:nobody:fc", "there is no network 'nobody'; there are: net"),
        ("network:net:fx", "fc"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nobody_is_asked(name: str, message: str) -> None:
    study = opened_study()
    with pytest.raises(ObserverRefused, match=message):
        asked(study, "ssim", name)
    assert not Observation.objects.exists()


def test_a_network_that_is_not_ready_is_refused() -> None:
    study, pending = opened_study(), network("pending")
    pending.state = "pending"
    pending.save()
    with pytest.raises(ObserverRefused, match="network 'pending' is not ready: pending"):
        asked(study, "network:pending:fc")


def test_a_draft_has_no_trials_and_no_names_are_no_question() -> None:
    draft = Study.objects.create(slug="draft", name="Draft")
    with pytest.raises(ObserverRefused, match="study 'draft' never opened, so it has no trials to judge"):
        asked(draft)
    with pytest.raises(ObserverRefused, match="no observer is named; allowed: pixel-l2"):
        request_observations(study=opened_study(), observers=[])


def test_a_network_s_layer_is_claimed_with_its_row() -> None:
    study = opened_study()
    asked(study, "network:net:fc")
    found = claimed()
    assert found.layer is not None
    assert (found.layer.name, found.layer.network.slug, found.attempts) == ("fc", "net", 1)


def test_two_workers_never_hold_one_observation_and_a_lost_ones_is_taken_up() -> None:
    asked(opened_study())
    first = claimed()
    assert observing.claim_observation(queue="iri.cpu") is None
    assert observing.claim_observation(queue="iri.gpu") is None
    Observation.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert claimed().pk == first.pk
    observing.keep_lease(first)
    assert observing.claim_observation(queue="iri.cpu") is None


def test_workers_lost_again_and_again_end_in_a_reason() -> None:
    (observation,) = asked(opened_study())
    for _ in range(3):
        claimed()
        Observation.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert observing.claim_observation(queue="iri.cpu") is None
    observing.sweep_observations()
    assert state(observation) == ObservationState.UNAVAILABLE
    assert observation.reason == "given up after 3 attempts: each worker stopped without a word"


def test_a_failure_that_may_pass_is_tried_again_and_a_refusal_is_not() -> None:
    (observation,) = asked(opened_study())
    observing.fail_observation(claimed(), reason="out of memory", can_pass=True)
    assert state(observation) == ObservationState.WAITING
    observing.fail_observation(claimed(), reason="no weights", can_pass=False)
    assert (state(observation), observation.reason) == (ObservationState.UNAVAILABLE, "no weights")


def test_a_worker_that_shuts_down_costs_no_attempt() -> None:
    (observation,) = asked(opened_study())
    observing.release_observation(claimed())
    assert (state(observation), observation.attempts) == (ObservationState.WAITING, 0)


def test_what_waits_is_rung_for_again(django_capture_on_commit_callbacks: Any) -> None:
    asked(opened_study())
    with django_capture_on_commit_callbacks() as rings:
        assert observing.sweep_observations() == 1
    assert len(rings) == 1


def test_judging_twice_keeps_the_first_and_new_trials_are_judged_alone(answered: AnsweredStudy) -> None:
    (observation,) = asked(answered.study)
    judge(observation, {"first": 1, "-second": 0})
    n = ObserverJudgement.objects.count()
    assert n == 4 + 2 * 3
    assert observing.unjudged(observation, **STAMP) == []
    answered.new_version()
    assert {one.trial.version for one in observing.unjudged(observation, **STAMP)} == {answered.version}
    assert len(observing.unjudged(observation, version="1", weights_sha256="other")) == 2 * n


def test_the_database_refuses_a_choice_that_is_a_tie_and_a_second_judgement(answered: AnsweredStudy) -> None:
    reference = TrialReference.objects.filter(trial__kind="main").first()
    assert reference is not None
    row = {
        "observer": "ssim", "version": "1", "trial": reference.trial, "reference": reference,
        "distances": [0.1, 0.1], "credit": 0.5,
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="a_choice_is_no_tie"):
        ObserverJudgement.objects.create(**row, n_nearest=2, choice=reference.answer)


def test_people_and_observer_stand_side_by_side(answered: AnsweredStudy) -> None:
    answered.answer(n=6)
    (score, other) = score_study(answered.study, "real")
    (observation,) = asked(answered.study)
    judge(observation, {"first": 0.5, "-second": 1})
    (comparison,) = compare_observers(answered.study, "real")
    assert (comparison.state, comparison.not_judged, comparison.is_network) == ("done", 0, False)
    second, first = comparison.scores
    assert (first.condition, first.observer, first.n_trials, first.n_ties) == ("first", 0.5, 4, 4)
    assert (second.condition, second.observer, second.n_trials, second.n_ties) == ("-second", 1, 6, 0)
    stored = {one.condition.slug: one for one in (score, other)}
    for found in comparison.scores:
        assert (found.people, found.n_responses) == (
            stored[found.condition].estimate, stored[found.condition].n
        )  # fmt: skip
        assert found.people_low == stored[found.condition].interval().low
    assert (comparison.pearson, comparison.why_not) == (
        None, "2 conditions; a correlation needs 3 or more"
    )  # fmt: skip


def test_a_correlation_is_over_conditions_that_both_scored_without_controls(answered: AnsweredStudy) -> None:
    study = answered.study
    for number, name in enumerate(("third", "fourth", "control")):
        base = answered.conditions["first"]
        answered.conditions[name] = Condition.objects.create(
            study=study, slug=name, layer=base.layer, recipe=base.recipe, image_set=base.image_set,
            iri_seed=number, shows="target" if name == "control" else "iri",
        )  # fmt: skip
        for _ in range(4):
            answered.trials.append(answered.add_trial(name, n_options=2, n_references=1))
    answered.answer(n=8)
    score_study(study, "real")
    (observation,) = asked(study)
    judge(observation, {"first": 0, "-second": 0.5, "third": 1, "fourth": 1, "control": 1})
    (comparison,) = compare_observers(study, "real")
    assert comparison.pearson is not None
    assert comparison.spearman is not None
    assert (comparison.pearson.n, comparison.spearman.n) == (4, 4)
    assert [score.condition for score in comparison.scores if score.is_control] == ["control"]


def test_what_is_undefined_counts_as_nothing_and_is_counted(answered: AnsweredStudy) -> None:
    (observation,) = asked(answered.study)
    judge(observation, {"first": None, "-second": 0})
    (comparison,) = compare_observers(answered.study, "real")
    first = comparison.scores[1]
    assert (first.observer, first.n_undefined, first.people) == (None, 4, None)


def test_judgements_of_other_weights_are_not_mixed_in(answered: AnsweredStudy) -> None:
    (observation,) = asked(answered.study)
    judge(observation, {"first": 1, "-second": 1})
    observing.finish_observation(observation, version="2", weights_sha256="w", provenance={})
    (comparison,) = compare_observers(answered.study, "real")
    assert [score.observer for score in comparison.scores] == [None, None]
    assert comparison.not_judged == 10


def test_the_command_asks_and_says_what_is_wrong() -> None:
    study = opened_study()
    output = io.StringIO()
    call_command("observe", study.slug, "--observers", "ssim", "lpips-alex", stdout=output)
    assert output.getvalue() == "lpips-alex: waiting for a worker\nssim: waiting for a worker\n"
    with pytest.raises(CommandError, match="there is no observer 'sim'"):
        call_command("observe", study.slug, "--observers", "sim")
    with pytest.raises(CommandError, match="no study has the slug 'faced'; studies: faces"):
        call_command("observe", "faced", "--observers", "ssim")
