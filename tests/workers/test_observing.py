"""A worker's task: from an observation that waits to stored judgements, or to the reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import torch
from django.conf import settings as site_settings

from survey_site.analysis import observing as services_of_observers
from survey_site.analysis.models import (
    Observation,
    ObservationState,
    ObservedCondition,
    ObserverJudgement,
)
from survey_site.analysis.observer_services import compare_observers
from survey_site.analysis.observing import request_observations
from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, Network
from survey_site.stimuli.services import store_image
from survey_site.studies.models import Study, Trial, TrialOption, TrialReference
from survey_site.studies.services import add_condition, open_study
from tests.builders import draft_study, finished_job, opened_study, png, version_of
from workers import observing, tasks
from workers.attempts import shutting_down
from workers.iri.images import from_png
from workers.observers import load_observer
from workers.observers.layers import LayerResponses
from workers.observers.transfer import transfer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.torch]


@pytest.fixture(autouse=True)
def nothing_left_over(transactional_db: None) -> Iterator[None]:
    observing._network.cache_clear()
    yield
    shutting_down.clear()
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as client:
        client.flushdb()


def ask(study: Study, *names: str) -> Observation:
    (asked, *_) = request_observations(study=study, observers=names)
    return asked


def observe() -> None:
    """As Celery calls it, in this process."""
    observing.observe.apply(args=("iri.cpu",), throw=True)


def pixels(image: object) -> torch.Tensor:
    with image.file.open("rb") as file:  # type: ignore[attr-defined]
        return from_png(file.read())[None]


def test_every_main_trial_is_judged_with_the_distances_of_its_own_images() -> None:
    study = opened_study(n=5)
    observation = ask(study, "ssim")
    observe()
    observation.refresh_from_db()
    assert (observation.state, observation.version) == (ObservationState.DONE, "1; piq 0.8.0")
    assert observation.provenance["piq"] == "ssim"
    assert ObserverJudgement.objects.count() == 5
    observer = load_observer("ssim")
    for judgement in ObserverJudgement.objects.select_related("reference__image", "choice"):
        options = list(judgement.trial.options.order_by("index").select_related("image"))
        expected = [
            observer.distances(pixels(judgement.reference.image), pixels(option.image)).item()
            for option in options
        ]
        assert judgement.distances == pytest.approx(expected, abs=1e-12)
        nearest = options[min(range(2), key=expected.__getitem__)]
        assert judgement.choice == nearest
        assert judgement.credit == (nearest.pk == judgement.reference.answer_id)


def test_the_paper_s_measure_counts_iris_nearer_to_target_than_to_start() -> None:
    study = opened_study(n=5)
    ask(study, "pixel-l2")
    observe()
    (observed,) = ObservedCondition.objects.all()
    observer = load_observer("pixel-l2")
    nearer = 0
    for iri in IRI.objects.with_images():
        near, far = (
            observer.distances(pixels(iri.image), pixels(other)).item()
            for other in (iri.target_resized, iri.start_image)
        )
        nearer += near < far
        assert [str(iri.pk), pytest.approx(near), pytest.approx(far)] in observed.distances
    assert (observed.n_iris, observed.n_nearer_target, observed.n_tied) == (5, nearer, 0)
    assert observed.transfer is None
    (comparison,) = compare_observers(study, "real")
    (score,) = comparison.scores
    assert score.observer == score.nearer_target == nearer / 5


def test_an_iri_that_is_its_target_scores_one_and_two_equal_options_tie() -> None:
    study = opened_study(n=3)
    iris = list(IRI.objects.with_images().order_by("target__name"))
    for iri in iris:
        IRI.objects.filter(pk=iri.pk).update(image=iri.target_resized)
    iris[0].start_image = iris[0].target_resized
    iris[0].save()
    ask(study, "pixel-l2", "haarpsi")
    observe()
    observe()
    for observed in ObservedCondition.objects.all():
        assert (observed.n_iris, observed.n_nearer_target, observed.n_tied) == (3, 2, 1)


def test_the_controls_come_out_as_they_must() -> None:
    """The target as IRI scores 1, the start image 0 (METHOD 4)."""
    study = draft_study(n=3)
    job = IRI.objects.all()[0].job
    for shows in ("target", "start"):
        add_condition(study=study, layer=job.layer, recipe=job.recipe, image_set=job.image_set, shows=shows)
    open_study(study=study)
    ask(study, "ssim")
    observe()
    (comparison,) = compare_observers(study, "real", version=version_of(study))
    by_control = {score.condition.rpartition("-")[2]: score.observer for score in comparison.scores}
    assert (by_control["target"], by_control["start"]) == (1, 0)


def registered(**changes: object) -> Network:
    made = services.register_network(
        **{
            "slug": "squeeze", "name": "Squeeze", "source": "torchvision", "architecture": "squeezenet1_1",
            "random_seed": 1, "num_classes": 10, "input_size": 64, **changes,
        }  # type: ignore[arg-type]
    )  # fmt: skip
    tasks.inspect_network(made.pk)
    made.refresh_from_db()
    return made


def test_a_network_s_layer_judges_and_says_how_far_it_shares_the_invariance() -> None:
    network = registered()
    study = opened_study(n=4)
    observation = ask(study, "network:squeeze:features.3")
    observe()
    observation.refresh_from_db()
    assert (observation.state, observation.reason) == (ObservationState.DONE, "")
    assert observation.weights_sha256 == network.weights_sha256
    (comparison,) = compare_observers(study, "real")
    (score,) = comparison.scores
    assert comparison.is_network
    assert (score.n_trials, score.n_iris) == (4, 4)
    respond = LayerResponses(observing._network(network.pk), "features.3", torch.device("cpu"))
    kinds = [
        torch.cat(
            [
                respond(pixels(getattr(iri, kind)))
                for iri in IRI.objects.with_images().order_by("target__name")
            ]
        )
        for kind in ("target_resized", "image", "start_image")
    ]
    expected = transfer(*kinds)
    assert score.transfer is not None
    assert score.transfer.n == 4
    assert (score.transfer.stir, score.transfer.stir_start, score.transfer.cosine) == pytest.approx(
        (expected.stir, expected.stir_start, expected.cosine), rel=1e-6
    )


def test_missing_weights_are_said_with_the_file_and_nothing_stands_in_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.delenv("IRI_LPIPS_ALEX", raising=False)
    observation = ask(opened_study(), "lpips-alex")
    observe()
    observation.refresh_from_db()
    assert observation.state == ObservationState.UNAVAILABLE
    assert "alexnet-owt-7be5be79.pth" in observation.reason
    assert str(tmp_path) in observation.reason
    assert not ObserverJudgement.objects.exists()
    (comparison,) = compare_observers(observation.study, "real")
    assert (comparison.is_available, comparison.scores[0].observer) == (False, None)


def test_images_too_small_for_an_observer_are_said() -> None:
    observation = ask(opened_study(), "ms-ssim")
    observe()
    observation.refresh_from_db()
    assert (observation.state, observation.attempts) == (ObservationState.UNAVAILABLE, 1)
    assert observation.reason.startswith("ms-ssim can't take images of 32 × 32 pixels")


def test_a_crash_is_tried_again_and_what_was_judged_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "REFERENCES_AT_ONCE", 2)
    observation = ask(opened_study(n=5), "pixel-l2")
    kept, calls = services_of_observers.record_judgements, []

    def crash_at_third(*args: object, **stamp: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise ConnectionError("the database went away")
        kept(*args, **stamp)  # type: ignore[arg-type]

    monkeypatch.setattr(services_of_observers, "record_judgements", crash_at_third)
    observe()
    observation.refresh_from_db()
    assert (observation.state, ObserverJudgement.objects.count()) == (ObservationState.WAITING, 4)
    assert "the database went away" in observation.reason
    observe()
    observation.refresh_from_db()
    assert (observation.state, observation.reason) == (ObservationState.DONE, "")
    assert (ObserverJudgement.objects.count(), len(calls)) == (5, 4)


def test_a_worker_that_shuts_down_gives_the_observation_back() -> None:
    observation = ask(opened_study(), "pixel-l2")
    shutting_down.set()
    observe()
    observation.refresh_from_db()
    assert (observation.state, observation.attempts) == (ObservationState.WAITING, 0)


def test_options_that_are_words_are_left_unjudged_and_an_odd_one_is_found() -> None:
    study = opened_study(n=2)
    version = version_of(study)
    condition = study.conditions.get()

    def trial(number: int, images: list[int | None], *, reference: int | None) -> Trial:
        made = Trial.objects.create(
            version=version, number=number, condition=condition, format="odd_one_out", kind="main"
        )
        options = [
            TrialOption.objects.create(
                trial=made, index=place, label="" if seed is not None else f"word {place}",
                image=None if seed is None else store_image(png(seed), size=(32, 32)),
            )
            for place, seed in enumerate(images)
        ]  # fmt: skip
        image = None if reference is None else store_image(png(reference), size=(32, 32))
        TrialReference.objects.create(trial=made, index=0, image=image, answer=options[-1])
        return made

    words = trial(100, [None, None], reference=7)
    odd = trial(101, [5, 5, 6], reference=None)
    ask(study, "pixel-l2")
    observe()
    assert not words.judgements.exists()
    (judgement,) = odd.judgements.all()
    assert (judgement.credit, judgement.choice) == (1, odd.options.get(index=2))
    (comparison,) = compare_observers(study, "real")
    assert comparison.not_judged == 1


def test_no_work_is_no_error() -> None:
    observe()


def test_unused_jobs_matter_not() -> None:
    """IRIs that no trial shows are nobody's."""
    study = opened_study(n=2)
    finished_job(3, slug="other")
    ask(study, "pixel-l2")
    observe()
    assert [row.n_iris for row in ObservedCondition.objects.all()] == [2]
