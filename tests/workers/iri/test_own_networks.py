import doctest
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, TwoStreams, conv_net, photographs
from workers.iri import own_networks
from workers.iri.inversion import invert
from workers.iri.layers import list_layers
from workers.iri.networks import NetworkError
from workers.iri.own_networks import from_module
from workers.iri.quality import measure
from workers.iri.recipe import preset

pytestmark = pytest.mark.torch
METHOD = Path(__file__).parents[3] / "docs" / "method.md"


def test_a_network_is_itself_where_it_is_and_elsewhere_a_copy() -> None:
    network, meta = from_module(conv_net(), input_size=SIZE), torch.device("meta")
    there = network.on(meta)
    assert network.on(torch.device("cpu")) is network
    assert (there.device, there.on(meta) is there) == (meta, True)
    assert network.device == torch.device("cpu")


def test_a_module_of_ones_own_is_listed_searched_and_measured() -> None:
    network = from_module(conv_net(), input_size=SIZE, labels=["a", "b", "c", "d", "e"])
    assert [one.name for one in list_layers(network, SIZE)][-1] == "head"
    targets, recipe = photographs(2), preset("reg_free", image_size=SIZE, steps=60, finish_below=None)
    found = invert(network, "pool", targets, recipe, [0, 1])
    rows = measure(network, "pool", found.images, targets)
    assert all(row.similarity.relative_error < 0.1 for row in rows)
    assert all(str(row.target_label)[0] in "abcde" for row in rows)
    assert network.provenance["architecture"] == "tests.workers.iri.tiny.ConvNet"


def test_the_module_itself_is_left_as_it_was_and_may_change() -> None:
    own = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Dropout()).train()
    network = from_module(own, input_size=SIZE, has_classes=False)
    assert own.training
    assert all(one.requires_grad for one in own.parameters())
    before = network.module(photographs(1))
    with torch.no_grad():
        own.get_submodule("0").get_parameter("weight").zero_()
    assert torch.equal(network.module(photographs(1)), before)


def test_images_are_normalised_as_it_says() -> None:
    network = from_module(ChannelMeans(), input_size=SIZE, mean=[0.5, 0.5, 0.25], std=(0.5, 0.25, 0.25))
    normal = network.normalize(torch.ones(1, 3, 1, 1))
    assert normal.flatten().tolist() == [1, 2, 3]
    plain = from_module(ChannelMeans(), input_size=SIZE)
    assert torch.equal(plain.normalize(photographs(1)), photographs(1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "resnet18"}, "the module is 'resnet18'; allowed: a torch.nn.Module"),
        ({"input_size": 0}, "input_size is 0; allowed: whole numbers from 1 to 4,096"),
        ({"input_size": 32.0}, "input_size is 32.0; allowed: whole numbers"),
        ({"mean": 0.5}, "mean is 0.5; allowed: three numbers, one per channel"),
        ({"std": (0.5, 0.5)}, r"std is \(0.5, 0.5\); allowed: three numbers"),
        ({"std": (0.5, 0.5, 0)}, r"std is \(0.5, 0.5, 0\); allowed: finite numbers above 0"),
        ({"mean": (0, 0, float("nan"))}, r"mean is \(0, 0, nan\); allowed: finite numbers"),
        ({"has_classes": "no"}, "has_classes is 'no'; allowed: True or False"),
        ({"labels": "cat"}, "labels is 'cat'; allowed: a list of the classes' names"),
        ({"labels": [1, 2]}, r"labels is \[1, 2\]; allowed: a list of the classes' names"),
        ({"labels": ["one"]}, "1 labels for 2 logits; allowed: one label per class"),
        ({"labels": ["a", "b", "c"]}, "3 labels for 2 logits; allowed: one label per class"),
        ({"labels": ["a", "b"], "has_classes": False}, "2 labels with has_classes=False; allowed: none"),
        ({"mean": (123.7, 116.3, 103.5)}, r"allowed: numbers for images in \[0, 1\].*divide by 255"),
        ({"std": (58.4, 57.1, 57.4)}, r"allowed: numbers for images in \[0, 1\].*divide by 255"),
        ({"module": TwoStreams().pair}, r"the module gives a builtins.tuple for one image; allowed: logits"),
        (
            {"module": conv_net().double()},
            r"parameters are torch.float64; module.float\(\) makes them float32",
        ),
        ({"module": conv_net().half()}, "parameters are torch.float16"),
        ({"module": conv_net().bfloat16()}, "parameters are torch.bfloat16"),
        ({"module": nn.Conv2d(1, 2, 3)}, r"fails on a float32 image of shape \(1, 3, 16, 16\), 3 colours"),
        (
            {"module": nn.Sequential(nn.Flatten(), nn.Linear(5, 2))},
            "3 colours at input_size 16: mat1 and mat2",
        ),
    ],
)
def test_what_cannot_be_is_named(changes: dict[str, object], message: str) -> None:
    given = {"module": ChannelMeans(), "input_size": SIZE, **changes}
    with pytest.raises(NetworkError, match=message):
        from_module(given.pop("module"), **given)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_program_is_named() -> None:
    script = torch.jit.trace(conv_net(), photographs(1))  # type: ignore[no-untyped-call]
    for module in (script, nn.Sequential(script)):
        with pytest.raises(NetworkError, match=r"the module is or holds a TorchScript program"):
            from_module(module, input_size=SIZE)


def test_a_module_that_gives_no_logits_can_be_searched_without_classes() -> None:
    network = from_module(TwoStreams().pair, input_size=SIZE, has_classes=False)
    assert [one.name for one in list_layers(network, SIZE)] == ["left", "right"]
    recipe = preset("reg_free", image_size=SIZE, steps=2)
    assert not any(invert(network, "left", photographs(1), recipe, [0]).failures)


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(own_networks).failed == 0
    assert doctest.testmod(own_networks).attempted > 0


def test_the_method_s_recipe_of_ones_own_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n([^`]*= Recipe\([^`]*)```", METHOD.read_text())
    exec(compile(example, "docs/method.md", "exec"), {})  # noqa: S102
    assert "LPIPS" in capsys.readouterr().out


def test_the_example_of_the_method_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n([^`]*from_module[^`]*)```", METHOD.read_text())
    exec(compile(example, "docs/method.md", "exec"), {})  # noqa: S102
    assert re.fullmatch(r"relative errors: 0\.\d+, 0\.\d+\n", capsys.readouterr().out)
