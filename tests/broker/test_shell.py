"""Networks and pairs from the shell: what fits is registered by a worker, what does not is named."""

import os
import pickle
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.broker.conftest import IRIWorkers
from tests.lab import OWN_IMAGES, Lab
from workers.iri.vision import import_torchvision

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module", autouse=True)
def worker(workers: IRIWorkers) -> None:
    workers.ensure(1)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """What a lab has in its files: a resnet18's parameters."""
    import_torchvision()
    from torchvision.models import resnet18

    return dict(resnet18(weights=None).state_dict())


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """45 MB are not left lying about."""
    path = tmp_path / "weights.pt"
    yield path
    path.unlink(missing_ok=True)


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose header claims more pixels than memory should be given to."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    framed = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def register(file: Path, slug: str) -> tuple[str, ...]:
    return ("register_network", "resnet18", "--weights", str(file), "--slug", slug)


def test_weights_that_fit_are_registered_and_pairs_are_queued_by_name(
    lab: Lab, state: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    torch.save(state, file)
    said = lab.succeed(*register(file, "ours"))
    assert "ours is ready" in said
    assert [line.split()[-1] for line in said.splitlines() if " avgpool " in line] == ["pooled"]
    assert lab.value("SELECT count(*) FROM stimuli_layer") == len(said.splitlines()) - 1

    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.effect_noise((64, 64), 80).save(folder / "noise.png")
    (folder / "bomb.png").write_bytes(bomb(30_000, 30_000))
    (folder / "notes.jpg").write_text("These are words.")
    imported = lab.manage("import_images", folder, "--image-set", "ours", *OWN_IMAGES)
    assert imported.returncode == 0
    assert "refused bomb.png: a decompression bomb" in imported.stderr
    assert "refused notes.jpg: not an image" in imported.stderr
    assert "1 added" in imported.stdout

    unknown = lab.refuse("queue_pairs", "--network", "ours", "--layer", "layer4.1.bn9", "--image-set", "ours")
    assert "network 'ours' has no layer 'layer4.1.bn9'; nearest: layer4.1.bn" in unknown
    queued = lab.succeed("queue_pairs", "--network", "ours", "--layer", "avgpool", "--image-set", "ours")
    assert "1 IRIs" in queued


def test_a_missing_key_is_named_and_the_name_stays_free(lab: Lab, state: dict[str, Any], file: Path) -> None:
    torch.save({name: tensor for name, tensor in state.items() if name != "fc.weight"}, file)
    assert "1 missing (fc.weight)" in lab.refuse(*register(file, "lacking"))
    assert lab.column("SELECT slug FROM stimuli_network WHERE slug = 'lacking'") == []


class Payload:
    """A pickle that would make a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(lab: Lab, file: Path, tmp_path: Path) -> None:
    loot = tmp_path / "loot"
    torch.save({"conv1.weight": Payload(loot)}, file)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(file, weights_only=True)
    refused = lab.refuse(*register(file, "malicious"))
    assert "is refused: it isn't a plain file of tensors, and loading it could run code" in refused
    assert not loot.exists()


def test_an_unknown_architecture_names_the_nearest(lab: Lab) -> None:
    refused = lab.refuse("register_network", "resnet19", "--random-seed", "0")
    assert "resnet19" in refused
    assert "resnet18" in refused
