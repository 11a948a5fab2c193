import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.workers.iri.tiny import SIZE, ChannelMeans, TwoStreams, built, conv_net, photographs
from workers.iri.compiling import CompiledExtractor, CompileError
from workers.iri.extractor import Extractor, LayerError
from workers.iri.graph import truncated
from workers.iri.inversion import Found, Inversion, invert, invert_each
from workers.iri.layer_errors import LayerNotFound
from workers.iri.networks import NetworkSpec, build
from workers.iri.recipe import preset
from workers.iri.search import Search, SearchError, Work

pytestmark = pytest.mark.torch
RECIPE = preset("reg_free", image_size=SIZE, steps=20, finish_below=None)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes for which a pass was compiled from now on."""
    compiled: list[tuple[int, ...]] = []
    plain = torch.compile

    def noting(module: nn.Module, *, backend: str) -> Callable[..., object]:
        def note(traced: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
            compiled.append(tuple(inputs[-1].shape) if isinstance(inputs[-1], Tensor) else ())
            return traced.forward

        assert backend == "aot_eager"
        return plain(module, backend=note)

    monkeypatch.setattr(torch, "compile", noting)
    return compiled


def search(compiler: str, layer: str = "norm2") -> Inversion:
    return invert(built(conv_net()), layer, photographs(5), RECIPE, range(5), batch_size=3, compiler=compiler)


def test_the_compiled_search_has_the_iterates_of_the_plain_one() -> None:
    plain, compiled = search("none"), search("aot_eager")
    assert torch.allclose(plain.images, compiled.images, atol=1e-4)
    assert compiled.relative_errors == pytest.approx(plain.relative_errors, rel=1e-3)


@needs_compiler
def test_what_inductor_writes_has_them_as_well() -> None:
    plain, compiled = search("none", "pool"), search("inductor", "pool")
    assert torch.allclose(plain.images, compiled.images, atol=1e-3)
    assert compiled.relative_errors == pytest.approx(plain.relative_errors, rel=1e-2)


def test_images_that_leave_and_join_compile_nothing_anew(graphs: list[tuple[int, ...]]) -> None:
    works = [
        Work(target, seed, replace(RECIPE, steps=steps))
        for seed, (target, steps) in enumerate(zip(photographs(7), (2, 4, 6, 8, 10, 12, 14), strict=True))
    ]
    found: list[Found] = []
    sizes: set[int] = set()
    one = Search(built(conv_net()), "norm2", works, batch_size=5, compiler="aot_eager")
    while not one.is_finished:
        found += one.step()
        sizes.add(len(one.places))
    assert sizes >= {1, 2, 3, 4, 5}
    assert sorted(one.place for one in found) == list(range(7))
    assert len(graphs) == 2  # one for any number of images, one for a single image


def test_several_layers_nodes_and_tokens_are_given_as_they_are_without() -> None:
    network = build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0, num_classes=10)).module
    images = torch.rand(2, 3, 224, 224)
    _agree(network, ["blocks.0#class", "blocks.1#mean", "blocks.0"], images)
    _agree(conv_net(), ["norm1", "relu", "conv2"], photographs(2))
    _agree(conv_net(), ["pool"], photographs(2))


def _agree(network: nn.Module, layers: Sequence[str], images: Tensor) -> None:
    compiled = CompiledExtractor(network, layers, "aot_eager")(images)
    plain = Extractor(network, layers)(images)
    assert list(compiled) == list(layers)
    for layer in layers:
        assert torch.allclose(compiled[layer], plain[layer], atol=1e-4)


def test_no_module_after_the_layer_is_in_the_compiled_code() -> None:
    code = str(truncated(conv_net(), ["pool"]).code)
    assert "pool" in code
    assert "head" not in code


def test_relus_that_the_gradient_passes_through_are_found_all_the_same() -> None:
    passing = preset("reg_free_paper", image_size=SIZE, steps=20)
    assert passing.relu_passthrough
    plain, compiled = (
        invert(built(conv_net()), "relu_1", photographs(2), passing, range(2), compiler=compiler)
        for compiler in ("none", "aot_eager")
    )
    assert torch.equal(plain.images, compiled.images)


def test_a_search_is_not_gone_on_with_by_another_compiler() -> None:
    network, work = built(ChannelMeans()), Work(photographs(1)[0], 0, RECIPE)

    def begin(compiler: str) -> Search:
        return Search(network, "pool", [work], batch_size=1, compiler=compiler)

    with pytest.raises(SearchError, match="the state's compiler is 'none'; allowed: 'aot_eager'"):
        begin("aot_eager").load_state_dict(begin("none").state_dict())


def test_what_cannot_be_compiled_is_named() -> None:
    class Branching(ChannelMeans):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images if images.sum() > 0 else -images)

    def run(network: nn.Module, layer: str, compiler: str) -> None:
        work = Work(photographs(1)[0], 0, RECIPE)
        invert_each(built(network), layer, [work], on_result=lambda found: None, compiler=compiler)

    with pytest.raises(CompileError, match="compiler is 'gcc'; allowed: none, inductor, aot_eager"):
        run(ChannelMeans(), "pool", "gcc")
    with pytest.raises(
        CompileError, match=r"compiler is 'aot_eager'; allowed for this network: none .*traced"
    ):
        run(Branching(), "pool", "aot_eager")
    with pytest.raises(LayerNotFound, match="no layer 'pol'"):
        run(ChannelMeans(), "pol", "aot_eager")
    with pytest.raises(LayerError, match="'pair' gives a tuple"):
        run(TwoStreams(), "pair", "aot_eager")
