"""Many pairs of images, each measured once."""

import pytest
import torch
from torch import Tensor

from workers.observers import pairs
from workers.observers.observer import Observer, ObserverError
from workers.observers.pairs import distances_of
from workers.observers.pixels import pixel_l2


def of_brightness(name: str) -> Tensor:
    size, level = name.split(":")
    return torch.full((3, int(size), int(size)), float(level))


def test_every_pair_is_measured_once_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "PAIRS_AT_ONCE", 2)
    seen: list[int] = []

    def counted(images: Tensor, others: Tensor) -> Tensor:
        seen.append(len(images))
        return pixel_l2().measure(images, others)

    asked = [("4:0", "4:1"), ("4:0", "4:0.5"), ("4:0", "4:1"), ("4:1", "4:1"), ("8:0", "8:1")]
    ticks: list[int] = []
    found = distances_of(
        Observer("counted", "1", counted), asked, of_brightness, on_batch=lambda: ticks.append(1)
    )
    assert found == pytest.approx(dict(zip(asked, [1, 0.5, 1, 0, 1], strict=True)))
    assert (seen, len(ticks)) == ([2, 1, 1], 3)


def test_images_of_two_sizes_are_refused() -> None:
    with pytest.raises(ObserverError, match="two images of one trial have 4 × 4 and 8 × 8 pixels"):
        distances_of(pixel_l2(), [("4:0", "8:0")], of_brightness)


def test_no_pairs_no_distances() -> None:
    assert distances_of(pixel_l2(), [], of_brightness) == {}
