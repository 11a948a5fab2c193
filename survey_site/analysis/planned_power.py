"""How wide the interval of a score will be, and how sure an effect is found: studies are simulated that show
people the very trials that a design shows them. Pure numpy.

>>> effects = PilotEffects(share=0.75, participant_sd=0.5, item_sd=0.5)
>>> expected_interval(effects, np.ones((30, 20), dtype=bool), n_simulations=50).answers
600
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.cells import CellTable
from survey_site.analysis.intervals import twoway
from survey_site.analysis.sample_size import PilotEffects, simulated_answers

#: So many simulated answers in all are enough for a look, and take a second or so.
MOST_ANSWERS, FEWEST_SIMULATIONS = 4_000_000, 40
#: Beyond it a look takes too long; items count where not everybody sees all of them.
MOST_CELLS, MOST_ITEMS = 1_000_000, 300


@dataclass(frozen=True, kw_only=True)
class ExpectedInterval:
    """half_width: median of the intervals'; power: share of studies whose interval leaves out the share
    compared with, on the side where the truth lies; error: its Monte-Carlo standard error."""

    participants: int
    items: int
    answers: int
    half_width: float
    power: float
    error: float
    n_simulations: int


def expected_interval(
    effects: PilotEffects,
    shown: NDArray[np.bool_],
    *,
    against: float = 0.5,
    confidence: float = 0.95,
    n_simulations: int = 200,
    rng_seed: int = 2023,
) -> ExpectedInterval:
    """`shown` (participants, items): who sees what. Empty rows and columns are left out.

    Large studies are simulated less often, but FEWEST_SIMULATIONS times. Raises ScoringError for fewer than
    two people or items, for a design that `is_too_large`, and for `against` outside (0, 1).
    """
    if not 0 < against < 1:
        raise ScoringError(f"against is {against!r}; it must lie between 0 and 1")
    seen = shown[shown.any(axis=1)][:, shown.any(axis=0)].astype(np.int64)
    if is_too_large(seen > 0):
        raise ScoringError(f"{seen.shape[0]} participants and {seen.shape[1]} items are too many to simulate")
    if min(seen.shape) < 2:
        raise ScoringError(f"{seen.shape[0]} participants and {seen.shape[1]} items; both must be 2 or more")
    people, items = seen.shape
    n = min(n_simulations, max(FEWEST_SIMULATIONS, MOST_ANSWERS // seen.size))
    rng = np.random.default_rng(np.random.SeedSequence(rng_seed, spawn_key=seen.shape))
    intervals = [
        twoway(CellTable(seen, hits * seen), confidence)
        for hits in simulated_answers(effects, people, items, n, rng)
    ]
    is_above = effects.share >= against
    found = [one.low > against if is_above else one.high < against for one in intervals]
    power = float(np.mean(found))
    return ExpectedInterval(
        participants=people,
        items=items,
        answers=int(seen.sum()),
        half_width=float(np.median([(one.high - one.low) / 2 for one in intervals])),
        power=power,
        error=(power * (1 - power) / n) ** 0.5,
        n_simulations=n,
    )


def is_too_large(shown: NDArray[np.bool_]) -> bool:
    """Whether simulating such a design would take minutes."""
    return shown.size > MOST_CELLS or (shown.shape[1] > MOST_ITEMS and not shown.all())
