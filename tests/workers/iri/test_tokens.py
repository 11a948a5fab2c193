"""Selections of a transformer's tokens, against the same forward pass by hand."""

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import conv_net, photographs
from workers.iri.extractor import Extractor, respond
from workers.iri.layer_errors import LayerError, LayerNotFound
from workers.iri.networks import BuiltNetwork, NetworkSpec, build
from workers.iri.tokens import split

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def torchvision_vit() -> BuiltNetwork:
    return build(NetworkSpec("torchvision", "vit_b_16", random_seed=0, num_classes=3))


@pytest.fixture(scope="module")
def timm_vit() -> BuiltNetwork:
    return build(NetworkSpec("timm", "vit_tiny_patch16_224", random_seed=0, num_classes=3))


def by_hand(vit: torch.nn.Module, images: Tensor, blocks: int) -> Tensor:
    """Tokens (n, 197, 768) after the first blocks of torchvision's ViT, in eval mode."""
    patches = vit._process_input(images)  # type: ignore[operator]
    tokens = torch.cat([vit.class_token.expand(len(images), -1, -1), patches], dim=1)  # type: ignore[operator]
    tokens = tokens + vit.encoder.pos_embedding  # type: ignore[operator, union-attr]
    for block in list(vit.encoder.layers)[:blocks]:  # type: ignore[arg-type, union-attr]
        tokens = block(tokens)
    return tokens


def test_torchvision_s_vit_by_hand(torchvision_vit: BuiltNetwork) -> None:
    vit, images = torchvision_vit.module, photographs(2, 224)
    tokens = by_hand(vit, images, 3)
    layer = "encoder.layers.encoder_layer_2"
    assert torch.equal(respond(vit, f"{layer}#class", images), tokens[:, 0])
    assert torch.equal(respond(vit, f"{layer}#patches", images), tokens[:, 1:].flatten(1))
    assert torch.equal(respond(vit, f"{layer}#mean", images), tokens[:, 1:].mean(dim=1))
    assert torch.equal(respond(vit, layer, images), tokens.flatten(1))


def test_timm_s_vit_by_hand(timm_vit: BuiltNetwork) -> None:
    vit, images = timm_vit.module, photographs(2, 224)
    tokens = vit.forward_features(images)  # type: ignore[operator]
    assert torch.equal(respond(vit, "norm#class", images), tokens[:, 0])
    responses, logits = Extractor(vit, ["norm#mean"]).with_output(images)
    assert torch.equal(responses["norm#mean"], tokens[:, 1:].mean(dim=1))
    assert torch.equal(logits, vit(images))


def test_swin_has_patches_and_no_class_token() -> None:
    swin = build(NetworkSpec("torchvision", "swin_t", random_seed=0, num_classes=3)).module
    images = photographs(2, 64)
    grid = swin.features[:2](images)  # type: ignore[index, operator]
    assert grid.shape == (2, 16, 16, 96)
    assert torch.equal(respond(swin, "features.1.1#patches", images), grid.flatten(1))
    assert torch.allclose(respond(swin, "features.1.1#mean", images), grid.mean(dim=(1, 2)), atol=1e-6)
    with pytest.raises(
        LayerError, match=r"'features.1.1#class': the network has no class token; allowed: #patches, #m"
    ):
        respond(swin, "features.1.1#class", images)


def test_what_is_no_token_sequence_is_refused(timm_vit: BuiltNetwork) -> None:
    with pytest.raises(
        LayerError,
        match=r"layer 'patch_embed' gives shape \(196, 192\) per image, no sequence of "
        "tokens; allowed: layers that give 197 tokens",
    ):
        respond(timm_vit.module, "patch_embed#class", photographs(1, 224))
    with pytest.raises(
        LayerError, match=r"'norm1' gives shape \(4, 16, 16\) per image, no sequence of tokens$"
    ):
        respond(conv_net(), "norm1#mean", photographs(1))


def test_an_unknown_selection_names_those_there_are() -> None:
    with pytest.raises(
        LayerNotFound, match=r"'blocks.1#cls' selects '#cls'; allowed: #class, #patches, #mean"
    ):
        split("blocks.1#cls")
    assert split("blocks.1") == ("blocks.1", "")
