"""How many participants a study needs, by simulating studies like a pilot. Pure numpy.

>>> pilot = PilotEffects(share=0.75, participant_sd=0.5, item_sd=0.5)
>>> required_participants(pilot, items=20, candidates=(5, 10, 20), n_simulations=200).participants
10
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import Interval, cluster, twoway
from survey_site.analysis.mixed_logit import fit_mixed_logit, without_flat

METHODS = {"twoway": twoway, "cluster": cluster}


@dataclass(frozen=True, kw_only=True)
class PilotEffects:
    """What studies are simulated from. share: score of the condition, in (0, 1), over people and items;
    participant_sd, item_sd: standard deviations on the logit scale, 0 or more."""

    share: float
    participant_sd: float
    item_sd: float

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ScoringError(f"share is {self.share!r}; it must lie between 0 and 1")
        for name in ("participant_sd", "item_sd"):
            if getattr(self, name) < 0:
                raise ScoringError(f"{name} is {getattr(self, name)!r}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class Power:
    """What studies of one size achieve. power: share of them whose interval lies above (or below) the share
    compared with; error: its Monte-Carlo standard error; half_width: median half width of the intervals."""

    participants: int
    items: int
    power: float
    error: float
    half_width: float
    n_simulations: int
    rng_seed: int


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """participants: the smallest candidate that reaches the power asked for, None if none does."""

    participants: int | None
    power: float
    curve: tuple[Power, ...]


def effects_of_pilot(table: AnswerTable, condition: str) -> PilotEffects:
    """Effects of one condition of a pilot, by the mixed model over all its conditions but perfect ones.

    The share is the condition's own. Raises ScoringError as `fit_mixed_logit`, for an unseen condition and
    for one whose answers are all right or all wrong.
    """
    kept, flat = without_flat(table)
    fit = fit_mixed_logit(table if condition in flat else kept)
    return PilotEffects(
        share=table.cells(condition).estimate, participant_sd=fit.participant_sd, item_sd=fit.item_sd
    )


def power_of(
    pilot: PilotEffects,
    *,
    participants: int,
    items: int,
    against: float = 0.5,
    confidence: float = 0.95,
    method: str = "twoway",
    n_simulations: int = 1000,
    rng_seed: int = 2023,
) -> Power:
    """Simulate complete studies and score them by `method` (twoway or cluster).

    Raises ScoringError for sizes below 2, `against` outside (0, 1) and unknown methods.
    """
    if min(participants, items) < 2:
        raise ScoringError(f"{participants} participants and {items} items; both must be 2 or more")
    if not 0 < against < 1:
        raise ScoringError(f"against is {against!r}; it must lie between 0 and 1")
    if method not in METHODS:
        raise ScoringError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    rng = np.random.default_rng(np.random.SeedSequence(rng_seed, spawn_key=(participants, items)))
    intervals = [
        METHODS[method](table, confidence)
        for table in simulated_tables(pilot, participants, items, n_simulations, rng)
    ]
    found = float(np.mean([_finds(interval, pilot.share, against) for interval in intervals]))
    return Power(
        participants=participants,
        items=items,
        power=found,
        error=(found * (1 - found) / n_simulations) ** 0.5,
        half_width=float(np.median([(interval.high - interval.low) / 2 for interval in intervals])),
        n_simulations=n_simulations,
        rng_seed=rng_seed,
    )


def required_participants(
    pilot: PilotEffects,
    *,
    items: int,
    power: float = 0.9,
    candidates: Sequence[int] = (10, 15, 20, 30, 40, 60, 80, 120, 160, 240),
    against: float = 0.5,
    method: str = "twoway",
    n_simulations: int = 1000,
    rng_seed: int = 2023,
) -> SampleSize:
    """The smallest of `candidates` whose simulated power is at least `power`, with the curve up to there.

    With few items no number of participants may do: then `participants` is None, and items are what to add.
    """
    if not 0 < power < 1:
        raise ScoringError(f"power is {power!r}; it must lie between 0 and 1")
    curve = []
    for participants in sorted(candidates):
        point = power_of(
            pilot,
            participants=participants,
            items=items,
            against=against,
            method=method,
            n_simulations=n_simulations,
            rng_seed=rng_seed,
        )
        curve.append(point)
        if point.power >= power:
            return SampleSize(participants=participants, power=power, curve=tuple(curve))
    return SampleSize(participants=None, power=power, curve=tuple(curve))


def simulated_tables(
    effects: PilotEffects, participants: int, items: int, n: int, rng: np.random.Generator
) -> list[CellTable]:
    """`n` complete studies, one answer per participant and item, whose expected score is `effects.share`."""
    answers = np.ones((participants, items), dtype=np.int64)
    return [CellTable(answers, hits) for hits in simulated_answers(effects, participants, items, n, rng)]


def simulated_answers(
    effects: PilotEffects, participants: int, items: int, n: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """`n` arrays (participants, items), one at a time: 1 where the target was chosen, else 0."""
    centre = logit_of_mean(effects.share, float(np.hypot(effects.participant_sd, effects.item_sd)))
    return (_answered(effects, centre, (participants, items), rng) for _ in range(n))


def logit_of_mean(share: float, sd: float) -> float:
    """The logit around which normal effects of standard deviation `sd` average to `share` as probabilities.

    >>> round(logit_of_mean(0.75, 0.0), 4)
    1.0986
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    centre = float(scipy.special.logit(share))
    if sd == 0:
        return centre

    def excess(shift: float) -> float:
        return float(weights @ scipy.special.expit(shift + sd * nodes)) - share

    reach = abs(centre) * (1 + sd) + 10 * sd
    return float(scipy.optimize.brentq(excess, -reach, reach, xtol=1e-12))


def _answered(
    effects: PilotEffects, centre: float, shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.int64]:
    of_people = effects.participant_sd * rng.normal(size=(shape[0], 1))
    of_items = effects.item_sd * rng.normal(size=(1, shape[1]))
    return (rng.random(shape) < scipy.special.expit(centre + of_people + of_items)).astype(np.int64)


def _finds(interval: Interval, share: float, against: float) -> bool:
    """The interval excludes what is compared with, on the side where the truth lies."""
    return interval.low > against if share >= against else interval.high < against
