from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, built, conv_net, photographs
from workers.iri import search
from workers.iri.extractor import respond
from workers.iri.images import from_png, to_png
from workers.iri.inversion import invert
from workers.iri.objectives import relative_error
from workers.iri.precision import PrecisionError, check_precision, computing, computing_back, layout
from workers.iri.recipe import preset

pytestmark = pytest.mark.torch
RECIPE = preset("reg_free", image_size=SIZE, steps=60, finish_below=None)


def kinds_of(net: nn.Module) -> list[torch.dtype]:
    """The kinds of number that the network's convolution gives from now on."""
    seen: list[torch.dtype] = []

    def note(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(output.dtype)

    net.get_submodule("conv2").register_forward_hook(note)
    return seen


def test_a_descent_in_bf16_is_judged_in_float32() -> None:
    net, targets = conv_net(), photographs(2)
    kinds = kinds_of(net)
    limit = 0.3
    found = invert(
        built(net), "norm2", targets, replace(RECIPE, finish_below=limit), range(2), precision="bf16"
    )
    assert set(kinds) == {torch.bfloat16, torch.float32}
    shown = torch.stack([from_png(to_png(image)) for image in found.images])
    errors = relative_error(respond(net, "norm2", shown), respond(net, "norm2", targets))
    assert all(error <= limit for error in errors.tolist())
    assert max(found.steps_run) < RECIPE.steps


def test_a_descent_in_float32_computes_in_nothing_else() -> None:
    net = conv_net()
    kinds = kinds_of(net)
    invert(built(net), "norm2", photographs(1), RECIPE, [0])
    assert set(kinds) == {torch.float32}


def test_tf32_is_allowed_only_where_it_is_asked_for_and_settings_are_put_back() -> None:
    def allowed() -> tuple[bool, bool]:
        return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    before, gpu = allowed(), torch.device("cuda")
    with computing("tf32", gpu):
        assert allowed() == (True, True)
        with computing("float32", gpu):
            assert allowed() == (False, False)
        assert allowed() == (True, True)
    assert allowed() == before


def test_all_but_bf16_lies_channel_by_channel_on_a_gpu() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda", 0)
    assert {layout(one, gpu) for one in ("float32", "tf32")} == {torch.contiguous_format}
    assert layout("bf16", gpu) == torch.channels_last
    assert {layout(one, cpu) for one in ("float32", "bf16")} == {torch.channels_last}


class Noting(torch.autograd.Function):
    """Changes nothing, and notes whether TF32 is allowed on its way forward and on its way back."""

    seen: ClassVar[list[tuple[str, bool]]] = []

    @staticmethod
    def forward(_context: Any, inputs: Tensor) -> Tensor:
        Noting.seen.append(("forward", torch.backends.cudnn.allow_tf32))
        return inputs.clone()

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        Noting.seen.append(("back", torch.backends.cudnn.allow_tf32))
        return gradients[0]


class Noted(ChannelMeans):
    def forward(self, images: Tensor) -> Tensor:
        passed: Tensor = Noting.apply(images)  # type: ignore[no-untyped-call]
        return super().forward(passed)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16"])
def test_the_way_back_is_as_precise_as_the_way_there(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = search.Work(photographs(1)[0], 0, replace(RECIPE, steps=3))
    one = search.Search(built(Noted()), "pool", [work], batch_size=1)
    one.step()
    # From here on as on a GPU, as far as a CPU can: the settings are there, and nothing computes by them.
    gpu = torch.device("cuda")
    monkeypatch.setattr(search, "computing", lambda kind, _: computing(kind, gpu))
    monkeypatch.setattr(search, "computing_back", lambda kind, _: computing_back(kind, gpu))
    one._precision = precision
    Noting.seen.clear()
    one.step()
    is_tf32 = precision == "tf32"
    assert Noting.seen == [("forward", is_tf32), ("back", is_tf32)]


@pytest.mark.parametrize("laid_out", [torch.contiguous_format, torch.channels_last])
def test_images_and_weights_are_laid_out_alike(
    laid_out: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "layout", lambda *_: laid_out)
    recipe = replace(RECIPE, steps=3)
    one = search.Search(built(conv_net()), "norm2", [search.Work(photographs(1)[0], 0, recipe)], batch_size=1)
    one.step()
    (responder,) = one._responders.values()
    module = responder._extract._module
    seen: list[Tensor] = [module.get_parameter("conv2.weight")]
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    one.step()
    assert len(seen) == 2
    assert all(tensor.is_contiguous(memory_format=laid_out) for tensor in seen)


def test_convolutions_on_a_gpu_are_held_to_kernels_that_repeat() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic
    with computing("float32", torch.device("cpu")):
        assert cudnn.deterministic == before
    with computing("float32", torch.device("cuda")):
        assert cudnn.deterministic
    assert cudnn.deterministic == before


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        ("fp16", "precision is 'fp16'; allowed: float32, tf32, bf16"),
        ("tf32", "precision is 'tf32' on cpu; allowed there: float32, bf16"),
    ],
)
def test_a_precision_that_cannot_be_is_refused(precision: str, message: str) -> None:
    with pytest.raises(PrecisionError, match=message):
        check_precision(precision, torch.device("cpu"))
    with pytest.raises(PrecisionError, match=message):
        invert(built(conv_net()), "norm2", photographs(1), RECIPE, [0], precision=precision)
