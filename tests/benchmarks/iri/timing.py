"""Times of variants taken in turn, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import binom

WARM_UP = 2


@dataclass(frozen=True)
class Estimate:
    """A median with its 95 % interval from order statistics, and how many rounds it stands on."""

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def now(device: torch.device) -> float:
    """Seconds of a clock, read when the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def estimate(values: Sequence[float]) -> Estimate:
    """The median of `values`, with the pair of order statistics that holds it 95 times in 100.

    Fewer than six values can't do that; they give their whole range.
    """
    ordered, count = sorted(values), len(values)
    outside = int(binom.ppf(0.025, count, 0.5))
    while outside > 0 and 2 * binom.cdf(outside - 1, count, 0.5) > 0.05:
        outside -= 1
    low = ordered[max(0, outside - 1)]
    high = ordered[min(count - 1, count - max(1, outside))]
    return Estimate(statistics.median(ordered), low, high, count)


def in_turn(
    variants: Mapping[str, Callable[[], float]], rounds: int, on_round: Callable[[], None]
) -> dict[str, list[float]]:
    """Seconds, as it tells itself, of each variant in each round. WARM_UP rounds before are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + WARM_UP):
        for name, run in variants.items():
            took = run()
            if turn >= WARM_UP:
                seconds[name].append(took)
        on_round()
    return seconds


def ratios(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """Of times taken in the same rounds, the ratio of each round's pair."""
    return estimate([one / other for one, other in zip(above, below, strict=True)])
