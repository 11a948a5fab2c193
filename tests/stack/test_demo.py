"""The demo's steps, each of which finds what an earlier run made."""

import io

import pytest
from django.contrib.auth import authenticate
from rich.console import Console

from survey_site.stack.demo import steps
from survey_site.stack.demo.addresses import addresses
from survey_site.stack.demo.photographs import photographs
from survey_site.stack.demo.progress import PairProgress, ProgressDisplay, progress_of
from survey_site.stack.errors import StackError
from survey_site.stimuli.models import IRIJob, IRIStatus, Layer, Network, NetworkState
from survey_site.stimuli.services.images import clean_image
from survey_site.studies.models import Study


@pytest.fixture
def network(db: None) -> Network:
    network = steps.register(steps.NETWORKS[0])
    Network.objects.filter(pk=network.pk).update(state=NetworkState.READY)
    network.refresh_from_db()
    for depth, planned in enumerate(reversed(steps.STUDIES)):
        Layer.objects.create(network=network, name=planned.layer, depth=depth, output_shape=[1280])
    return network


@pytest.fixture
def job(network: Network) -> IRIJob:
    return steps.queue_pair(network, steps.STUDIES[0], steps.save_recipe(), steps.import_photographs())


def test_eight_photographs_are_natural_images_of_use() -> None:
    found = list(photographs())
    assert len({name for name, _, _ in found}) == len(found) == 8
    for _, data, label in found:
        assert min(clean_image(data).size) >= steps.IMAGE_PX
        assert label


@pytest.mark.django_db
def test_photographs_are_imported_once() -> None:
    assert steps.import_photographs().targets.count() == 8
    assert steps.import_photographs().targets.count() == 8


def test_a_pair_is_queued_once(network: Network, job: IRIJob) -> None:
    again = steps.queue_pair(network, steps.STUDIES[0], steps.save_recipe(), steps.import_photographs())
    assert again == job
    assert steps.register(steps.NETWORKS[0]) == network
    assert job.iris.count() == 8


@pytest.mark.django_db
def test_the_pooled_pairs_go_first() -> None:
    first, second = steps.STUDIES
    assert first.layer == "_avg_pooling"
    assert first.priority > second.priority


def test_a_layer_that_is_not_there_names_the_nearest(network: Network) -> None:
    planned = steps.DemoStudy("x", "x", "_blocks.88", priority=0)
    with pytest.raises(StackError, match=r"no layer '_blocks\.88'; nearest: _blocks\.8"):
        steps.queue_pair(network, planned, steps.save_recipe(), steps.import_photographs())


def test_a_network_that_cannot_be_built_says_why(network: Network) -> None:
    Network.objects.filter(pk=network.pk).update(state=NetworkState.FAILED, state_reason="no such weights")
    network.refresh_from_db()
    with pytest.raises(StackError, match="EfficientNet-Lite0 cannot be built: no such weights"):
        steps.wait_until_ready(network)


def test_a_network_that_failed_before_is_tried_again(network: Network) -> None:
    Network.objects.filter(pk=network.pk).update(state=NetworkState.FAILED)
    again = steps.register(steps.NETWORKS[0])
    assert (again.slug, again.state) == (network.slug, NetworkState.PENDING)


@pytest.mark.django_db
def test_the_password_is_new_at_every_run() -> None:
    first, second = steps.renew_login(), steps.renew_login()
    assert first != second
    assert authenticate(username=steps.LOGIN, password=first) is None
    user = authenticate(username=steps.LOGIN, password=second)
    assert user
    assert user.is_staff


@pytest.mark.django_db
def test_addresses_name_the_study_and_the_login_once() -> None:
    study = Study(slug="demo", name="Demo", status="open")
    text = addresses(study, "researcher", "secret-password")
    assert "“demo” is open" in text
    for line in (
        "/s/demo/",
        "/admin/results/demo/?mode=pilot",
        "simulate_participants demo --n 30",
        "secret-password",
    ):
        assert line in text
    assert "with password" not in addresses(study, "researcher", None)


def test_progress_of_a_pair_nobody_has_taken_up(job: IRIJob) -> None:
    (pair,) = progress_of([job])
    assert pair.line == "EfficientNet-Lite0 · _avg_pooling: 0 of 8 IRIs, waiting"
    assert pair.fraction == 0.0


def test_progress_counts_steps_of_running_iris(job: IRIJob) -> None:
    job.iris.update(status=IRIStatus.RUNNING)
    progress = {"step": 60, "steps": 240, "relative_error": 0.31, "seconds_left": 17.8}
    job.chunks.update(status="running", lease_until="2100-01-01T00:00Z", progress=progress)
    (pair,) = progress_of([job])
    assert pair.fraction == pytest.approx(0.25)
    assert pair.line == "EfficientNet-Lite0 · _avg_pooling: 0 of 8 IRIs, relative error 0.310, 18 s left"


def pair(**changes: object) -> PairProgress:
    fields = {
        "pair": "net · layer",
        "n_done": 0,
        "n_iris": 8,
        "n_failed": 0,
        "fraction": 0.0,
        "relative_error": None,
        "seconds_left": None,
    }
    return PairProgress(**(fields | changes))  # type: ignore[arg-type]


def test_without_a_terminal_a_line_is_printed_when_it_changed() -> None:
    output = io.StringIO()
    display = ProgressDisplay(Console(file=output))
    with display.shown():
        for state in (pair(), pair(), pair(n_done=8, relative_error=0.1)):
            display.update([state])
    assert output.getvalue().splitlines() == [
        "net · layer: 0 of 8 IRIs, waiting",
        "net · layer: 8 of 8 IRIs, relative error 0.100, finished",
    ]


def test_a_terminal_shows_a_table() -> None:
    output = io.StringIO()
    display = ProgressDisplay(Console(file=output, force_terminal=True, width=100))
    with display.shown():
        display.update([pair(n_done=2, fraction=0.25, relative_error=0.2, seconds_left=9.0)])
    for words in ("net · layer", "2 / 8", "0.200", "9 s left"):
        assert words in output.getvalue()
