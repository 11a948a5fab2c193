"""Networks that can be asked for are those that a live worker announced."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from survey_site.stimuli import services
from survey_site.stimuli.models import Network, Worker
from tests.builders import logged_in, superuser, worker

pytestmark = pytest.mark.django_db

FED = {"input_size": 224, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "pretrained": False}
LITE = {**FED, "mean": [0.498] * 3, "pretrained": True}


def announce(name: str = "iri@one", **architectures: dict[str, Any]) -> None:
    services.announce_worker(
        name=name, host="here", device="cpu", queues=["iri.cpu"], architectures=architectures
    )


def test_what_live_workers_announced_is_put_together() -> None:
    announce("iri@one", torchvision={"resnet18": FED})
    announce("iri@two", torchvision={"vgg11": FED}, timm={"vit_tiny_patch16_224": FED})
    assert services.buildable() == {
        "torchvision": {"resnet18": FED, "vgg11": FED},
        "timm": {"vit_tiny_patch16_224": FED},
    }


def test_a_worker_that_fell_silent_offers_nothing_until_it_is_heard_again() -> None:
    announce(torchvision={"resnet18": FED})
    Worker.objects.update(last_heartbeat=Now() - timedelta(minutes=5))
    assert services.buildable() == {}
    services.note_alive(name="iri@one")
    assert "torchvision" in services.buildable()


def test_what_nobody_can_build_is_refused_with_the_nearest() -> None:
    announce(torchvision={"resnet18": FED, "resnet34": FED, "vgg11": FED})
    services.check_buildable(source="torchvision", architecture="resnet18")
    with pytest.raises(services.NetworkRefused) as refused:
        services.check_buildable(source="torchvision", architecture="resnet19")
    assert str(refused.value).startswith(
        "no worker can build 'resnet19' of torchvision; nearest: resnet18, resnet34"
    )


def test_weights_that_nobody_carries_are_refused() -> None:
    announce(package={"efficientnet_lite0": LITE, "efficientnet_lite3": {**LITE, "pretrained": False}})
    with pytest.raises(services.NetworkRefused) as refused:
        services.check_buildable(source="package", architecture="efficientnet_lite3", pretrained=True)
    assert str(refused.value) == (
        "no worker has weights of 'efficientnet_lite3' in package; it has those of: efficientnet_lite0"
    )


def test_with_nobody_alive_every_name_may_be_asked_for() -> None:
    services.check_buildable(source="torchvision", architecture="resnet19")
    worker()  # one that announced nothing
    services.check_buildable(source="torchvision", architecture="resnet19")


@pytest.mark.parametrize("text", ["0.5 0.25 1", "[0.5, 0.25, 1]", "0.5,0.25,1.0"])
def test_the_form_takes_three_numbers_as_people_write_them(text: str) -> None:
    assert add(mean=text).status_code == 302
    assert Network.objects.get().mean == [0.5, 0.25, 1.0]


def test_the_form_refuses_words_for_numbers() -> None:
    assert "mean is &#x27;grey&#x27;; allowed: three numbers" in add(mean="grey").content.decode()


@pytest.mark.parametrize("value", [[0.5, 0.5], "grey", [0.5, 0.5, "x"], [True, 0.5, 0.5], 0.5])
def test_a_mean_is_three_numbers(value: object) -> None:
    with pytest.raises(services.NetworkRefused, match="allowed: three numbers, one per channel"):
        services.register_network(
            slug="net", name="", source="torchvision", architecture="resnet18", random_seed=0, mean=value
        )


def test_a_std_is_above_zero() -> None:
    with pytest.raises(services.NetworkRefused) as refused:
        services.check_channels("std", [0.5, 0.0, 0.5])
    assert str(refused.value) == "std is [0.5, 0.0, 0.5]; allowed: three numbers above 0"


GIVEN = {
    "name": "Mine", "slug": "mine", "source": "torchvision", "architecture": "resnet18", "num_classes": 10,
    "random_seed": 3, "family": "ResNet", "is_residual": "true", "training_loss": "cross-entropy",
    "augmentation": "l2 adversarial", "training_set": "CIFAR-10", "epsilon": "1.0", "is_control": "on",
    "mean": "[0.5, 0.5, 0.5]", "std": "", "input_size": 32,
    "layers-TOTAL_FORMS": 0, "layers-INITIAL_FORMS": 0,
}  # fmt: skip


def add(**changes: object) -> Any:
    client = logged_in(superuser())
    return client.post("/admin/stimuli/network/add/", {**GIVEN, **changes})


def test_the_form_sets_every_fact() -> None:
    announce(torchvision={"resnet18": FED})
    assert add().status_code == 302
    made = Network.objects.get()
    assert (made.family, made.is_residual, made.training_loss) == ("ResNet", True, "cross-entropy")
    assert (made.augmentation, made.training_set, made.epsilon) == ("l2 adversarial", "CIFAR-10", 1.0)
    assert (made.is_control, made.mean, made.input_size) == (True, [0.5, 0.5, 0.5], 32)


def test_the_form_refuses_what_nobody_can_build_beside_its_field() -> None:
    announce(torchvision={"resnet34": FED})
    page = add(mean="[0.5]").content.decode()
    assert "no worker can build &#x27;resnet18&#x27; of torchvision; nearest: resnet34" in page
    assert "mean is [0.5]; allowed: three numbers, one per channel" in page
    assert not Network.objects.exists()


def test_the_form_suggests_what_was_announced_and_how_it_is_fed() -> None:
    announce(torchvision={"resnet18": FED}, package={"efficientnet_lite0": LITE})
    page = logged_in(superuser()).get("/admin/stimuli/network/add/").content.decode()
    assert (
        '<datalist id="architectures-torchvision"><option value="resnet18">224 px, mean 0.485 0.456' in page
    )
    assert "std 0.229 0.224 0.225, carries weights</option>" in page
    assert "what a running worker can build is suggested" in page


def test_without_workers_the_form_says_that_names_are_checked_later() -> None:
    page = logged_in(superuser()).get("/admin/stimuli/network/add/").content.decode()
    assert "No worker is running now" in page


def test_without_workers_every_name_is_taken() -> None:
    assert add(architecture="resnet19").status_code == 302
