"""Sensitivity and side bias of two-alternative choices. Pure scipy."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import ScoringError


def d_prime(hits: int, n: int) -> float:
    """Sensitivity in 2AFC, ``sqrt(2) * z(hits / n)`` (Macmillan & Creelman 2005, ch. 7).

    Where all or none are right, the proportion is the log-linear ``(hits + 0.5) / (n + 1)`` (Hautus 1995),
    so that the result is finite. Chance gives 0; 0.76 correct gives about 1.
    """
    share = (hits + 0.5) / (n + 1) if hits in (0, n) else hits / n
    return sqrt(2) * float(scipy.stats.norm.ppf(share))


@dataclass(frozen=True, kw_only=True)
class SideBias:
    """How a participant or a condition leans to one of two sides.

    n: answers. first_share: share of choices of the first place (left), in [0, 1].
    d_prime: ``(z(H) - z(F)) / sqrt(2)``, sensitivity freed from the bias. bias: ``-(z(H) + z(F)) / sqrt(2)``
    in the same units, 0 without bias, negative for a lean to the first place.
    H, F: shares of choices of the first place where the answer was first, and where it was second, both
    log-linear corrected ``(k + .5) / (m + 1)`` (Hautus 1995), always, so that cells compare.
    p_value: Fisher's exact test of no bias, that is, of equal shares right where the answer was first and
    where it was second (bias is 0 just if ``H = 1 - F``), however often it was first. Answers count as
    independent.
    """

    n: int
    first_share: float
    d_prime: float
    bias: float
    p_value: float


def side_bias(chosen: NDArray[np.integer], answer: NDArray[np.integer]) -> SideBias:
    """Side bias of two-alternative answers; `chosen` and `answer` are places, 0 (first) or 1, equally long.

    Macmillan & Creelman 2005, ch. 7: in 2AFC "first" is the yes-response, and the difference of two equally
    noisy observations brings the sqrt(2). Raises ScoringError for other places or where the answer was
    always on one side, since bias and sensitivity cannot be told apart then.

        >>> side_bias(np.array([0, 0, 1, 0]), np.array([0, 0, 1, 1])).first_share
        0.75
    """
    if len(chosen) != len(answer):
        raise ScoringError(f"{len(chosen)} chosen places and {len(answer)} of answers; they must be as many")
    for name, places in (("chosen", chosen), ("answer", answer)):
        wrong = places[(places != 0) & (places != 1)]
        if len(wrong):
            raise ScoringError(f"{name} has place {wrong[0]}; side bias needs two options, places 0 and 1")
    first = answer == 0
    if not 0 < first.sum() < len(answer):
        raise ScoringError("the answer was always on one side; bias and sensitivity cannot be told apart")
    hit = _corrected(int((chosen[first] == 0).sum()), int(first.sum()))
    false_alarm = _corrected(int((chosen[~first] == 0).sum()), int((~first).sum()))
    z_hit, z_false_alarm = (float(scipy.stats.norm.ppf(share)) for share in (hit, false_alarm))
    n_first = int((chosen == 0).sum())
    return SideBias(
        n=len(chosen),
        first_share=n_first / len(chosen),
        d_prime=(z_hit - z_false_alarm) / sqrt(2),
        bias=-(z_hit + z_false_alarm) / sqrt(2),
        p_value=float(scipy.stats.fisher_exact(_right_and_wrong(chosen == answer, first)).pvalue),
    )


def _right_and_wrong(right: NDArray[np.bool_], first: NDArray[np.bool_]) -> list[list[int]]:
    """Rows: the answer was first, it was second."""
    return [[int((right & side).sum()), int((~right & side).sum())] for side in (first, ~first)]


def _corrected(count: int, of: int) -> float:
    return (count + 0.5) / (of + 1)
