import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.workers.iri.tiny import ChannelMeans, conv_net
from workers.iri.networks import NetworkSpec, build
from workers.iri.weights import WeightsError, load_weights, state_sha256


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda state: {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize(
    "layout",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        prefixed("module."),
        prefixed("model."),
        prefixed("module.model."),
        lambda state: {"state_dict": prefixed("model.")(state)},
        lambda state: {key: value for key, value in state.items() if "num_batches" not in key},
    ],
    ids=["plain", "state_dict", "module", "model", "module.model", "lightning", "without counters"],
)
def test_the_layouts_that_researchers_have_are_understood(layout: Any, tmp_path: Path) -> None:
    trained = conv_net()
    torch.save(layout(trained.state_dict()), tmp_path / "net.pt")
    fresh = type(trained)()
    load_weights(fresh, tmp_path / "net.pt")
    assert state_sha256(fresh) == state_sha256(trained)


def test_safetensors_are_read(tmp_path: Path) -> None:
    trained = conv_net()
    save_file(trained.state_dict(), tmp_path / "net.safetensors")
    fresh = type(trained)()
    load_weights(fresh, tmp_path / "net.safetensors")
    assert state_sha256(fresh) == state_sha256(trained)


def test_torchvision_s_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    twin = build(NetworkSpec("torchvision", "densenet121", random_seed=0, num_classes=2))
    old = {
        key.replace("norm1", "norm.1").replace("conv2", "conv.2") if "denselayer" in key else key: value
        for key, value in twin.module.state_dict().items()
    }
    torch.save(old, tmp_path / "old.pth")
    spec = NetworkSpec("torchvision", "densenet121", weights=tmp_path / "old.pth", num_classes=2)
    assert build(spec).weights_sha256 == twin.weights_sha256


def test_a_file_that_does_not_fit_names_the_keys(tmp_path: Path) -> None:
    state = ChannelMeans().state_dict()
    state["extra.weight"] = state.pop("head.weight")
    state["head.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(WeightsError) as caught:
        load_weights(ChannelMeans(), tmp_path / "other.pt")
    assert str(caught.value) == (
        "other.pt does not fit: 1 missing (head.weight); 1 unexpected (extra.weight); "
        "1 of another shape (head.bias (7,), expected (2,))"
    )


def test_only_the_first_few_keys_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"13 missing \(conv1.weight, norm1.weight, norm1.bias, …\)"):
        load_weights(conv_net(), tmp_path / "other.pt")


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "write", [torch.save, lambda payload, path: path.write_bytes(pickle.dumps(payload, protocol=2))]
)
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(write: Any, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    write({"state_dict": Payload(ran)}, tmp_path / "evil.pt")
    with pytest.raises(
        WeightsError, match=r"evil.pt is refused: it isn't a plain file of tensors, and loading it"
    ):
        load_weights(ChannelMeans(), tmp_path / "evil.pt")
    assert not ran.exists()


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(ChannelMeans(), tmp_path / "whole.pt")
    with pytest.raises(
        WeightsError,
        match=r"whole.pt is refused.*It holds a tests.*\.ChannelMeans\. Save the state dict alone.*save_file",
    ):
        load_weights(ChannelMeans(), tmp_path / "whole.pt")


@pytest.mark.parametrize("name", ["junk.pt", "junk.safetensors"])
def test_a_file_that_holds_no_weights_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"not weights at all")
    with pytest.raises(WeightsError, match=name):
        load_weights(ChannelMeans(), tmp_path / name)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "a Git LFS pointer"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "a PNG image"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "an HDF5 file"),
    ],
)
def test_a_file_of_another_kind_is_told_what_it_is(
    content: bytes, kind: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"is no (torch|safetensors) file: it is {kind}") as caught:
        load_weights(ChannelMeans(), path)
    assert "run code" not in str(caught.value)


@pytest.mark.parametrize("content", [b"abc", b"hello world\n", b'{"message": "Not found"}', bytes(100)])
def test_what_begins_as_no_torch_file_is_no_torch_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"net.pt is no torch file: it begins as none does"):
        load_weights(ChannelMeans(), tmp_path / "net.pt")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_torch_file_damaged_anywhere_is_refused_without_unsafe_advice(is_zip: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(ChannelMeans().state_dict(), path, _use_new_zipfile_serialization=is_zip)
    whole = path.read_bytes()
    cuts = [whole[:length] for length in range(2, len(whole) - 30, 41)]
    flips = [whole[:at] + b"\xff" * 9 + whole[at + 9 :] for at in range(2, len(whole), 41)]
    messages = []
    for content in [*cuts, *flips]:
        path.write_bytes(content)
        try:
            load_weights(ChannelMeans(), path)
        except WeightsError as error:
            messages.append(str(error))
    assert len(messages) >= len(cuts)
    assert "weights_only" not in " ".join(messages)
    assert any("damaged or incomplete torch file" in message for message in messages)


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(ChannelMeans(), torch.zeros(1, 3, 8, 8)), tmp_path / "script.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(WeightsError, match=r"script.pt is refused: it is a TorchScript program"):
        load_weights(ChannelMeans(), tmp_path / "script.pt")


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, torch.zeros(2)])
def test_tensors_without_names_are_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match=r"odd.pt holds no state dict; allowed: names with tensors"):
        load_weights(ChannelMeans(), tmp_path / "odd.pt")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no weights file .*gone.pt"):
        load_weights(ChannelMeans(), tmp_path / "gone.pt")


def test_the_hash_follows_content_alone() -> None:
    one, other = conv_net(), conv_net()
    other.norm1.num_batches_tracked.add_(7)  # type: ignore[union-attr]
    assert state_sha256(one) == state_sha256(other)
    other.head.bias.data[0] += 1
    assert state_sha256(one) != state_sha256(other)
