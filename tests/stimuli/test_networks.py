"""Networks are asked for by the web and inspected by a worker."""

import pytest
from django.core.files.base import ContentFile

from survey_site.access.models import Membership
from survey_site.stimuli import services
from survey_site.stimuli.models import Network, NetworkState
from tests.builders import network, superuser

pytestmark = pytest.mark.django_db

LAYER = services.FoundLayer(name="fc", depth=0, output_shape=[10], role="logits")


def register(**changes: object) -> Network:
    given = {"slug": "net", "name": "Net", "source": "torchvision", "architecture": "resnet18"}
    return services.register_network(**{**given, **changes})  # type: ignore[arg-type]


def refusal(**changes: object) -> str:
    with pytest.raises(services.NetworkRefused) as refused:
        register(**changes)
    return str(refused.value)


def test_an_unknown_source_names_those_allowed() -> None:
    assert refusal(source="keras", random_seed=1) == (
        "source is 'keras'; allowed: torchvision, timm, package"
    )


@pytest.mark.parametrize("origins", [{}, {"pretrained": True, "random_seed": 0}])
def test_weights_have_exactly_one_origin(origins: dict[str, object]) -> None:
    assert refusal(**origins) == "give exactly one of: a weights file, pretrained weights, an RNG seed"


def test_a_slug_names_one_network_for_good() -> None:
    register(random_seed=0)
    assert refusal(random_seed=1) == "network 'net' exists already; other weights are another network"
    assert Network.objects.get().random_seed == 0


def test_a_slug_taken_since_it_was_looked_for_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    register(random_seed=0)
    monkeypatch.setattr(type(Network.objects.all()), "exists", lambda _: False)
    assert "exists already" in refusal(random_seed=1)


def test_a_network_has_the_name_it_was_given() -> None:
    assert register(random_seed=0).name == "Net"
    assert register(slug="nameless", name="", random_seed=0).name == "nameless"


def test_whoever_registers_a_network_owns_it() -> None:
    ada = superuser()
    made = register(random_seed=0, created_by=ada)
    membership = Membership.objects.get()
    assert (membership.user, membership.role, membership.content_object) == (ada, "owner", made)


def test_a_weights_file_is_kept() -> None:
    made = register(weights=ContentFile(b"tensors", name="mine.safetensors"))
    assert made.weights.read() == b"tensors"


def test_an_inspection_is_recorded_once() -> None:
    made = register(random_seed=0)
    for digest in ("first", "second"):
        services.record_inspection(
            network_id=made.pk, layers=[LAYER], weights_sha256=digest, facts={"input_size": 64}
        )
    made.refresh_from_db()
    assert (made.state, made.weights_sha256, made.input_size) == (NetworkState.READY, "first", 64)
    assert list(made.layers.values_list("name", "depth", "output_shape", "role")) == [
        ("fc", 0, [10], "logits")
    ]


def test_a_failed_inspection_says_why_and_does_not_undo_a_good_one() -> None:
    failed, ready = register(random_seed=0), network("ready")
    for made in (failed, ready):
        services.fail_inspection(network_id=made.pk, reason="no such architecture")
        made.refresh_from_db()
    assert (failed.state, failed.state_reason) == (NetworkState.FAILED, "no such architecture")
    assert (ready.state, ready.state_reason) == (NetworkState.READY, "")


def test_a_missing_layer_is_answered_with_the_nearest_ones() -> None:
    made = network(layers=["conv1", "layer1.conv", "layer2.conv", "avgpool", "fc"])
    assert services.describe_missing_layer(made, "layer3.conv") == (
        "network 'net' has no layer 'layer3.conv'; nearest: layer2.conv, layer1.conv, conv1"
    )
    assert services.describe_missing_layer(made, "zzz").endswith(
        "nearest: conv1, layer1.conv, layer2.conv, avgpool, fc"
    )
