"""How alike two responses of a layer are: the measures of Feather et al. (Nature Neuroscience 26:2017, 2023).

For a response g and the one wanted, g_t, both vectors of d numbers:

    relative error   ||g - g_t||_2 / ||g_t||_2
    cosine           g . g_t / (||g||_2 ||g_t||_2)
    Pearson          the cosine of g and g_t, each minus its mean
    Spearman         the Pearson correlation of their ranks, equal numbers sharing the mean of their ranks
    SNR              10 log10(||g_t||_2^2 / ||g - g_t||_2^2) dB, a ratio of powers
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor

from workers.iri.objectives import relative_error


@dataclass(frozen=True)
class Similarity:
    """The measures of one pair of responses.

    `relative_error` from 0, the rest rises with similarity: `cosine`, `pearson`, `spearman` from -1 to 1,
    `snr_db` in decibels, infinite for a perfect match. What isn't defined is NaN, such as the correlation
    with a response of equal numbers.
    """

    relative_error: float
    cosine: float
    pearson: float
    spearman: float
    snr_db: float

    def to_json(self) -> dict[str, float | None]:
        """For JSON, which has no NaN and no infinity: None stands for them."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


MEASURES = tuple(field.name for field in fields(Similarity))
LOWER_IS_CLOSER = ("relative_error",)
# How far from 1 the correlation of equal rows may be in double precision.
_ROUNDING = 1e-12
NAMES = {
    "relative_error": "relative error",
    "cosine": "cosine",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "snr_db": "SNR in dB",
}


def similarities(responses: Tensor, wanted: Tensor) -> list[Similarity]:
    """One Similarity a row of `responses` and `wanted`, both (n, d).

    >>> similarities(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]]))[0].relative_error
    1.25
    """
    columns = compare(responses, wanted, ranks(responses), ranks(wanted))
    return [Similarity(*row) for row in zip(*(columns[name].tolist() for name in MEASURES), strict=True)]


def compare(
    responses: Tensor, wanted: Tensor, response_ranks: Tensor, wanted_ranks: Tensor
) -> dict[str, Tensor]:
    """The measures by name, each float64 (n,), from responses (n, d) and their ranks (n, d)."""
    responses, wanted = responses.double(), wanted.double()
    error = relative_error(responses, wanted)
    return {
        "relative_error": error,
        "cosine": _cosine(responses, wanted),
        "pearson": _cosine(_centred(responses), _centred(wanted)),
        "spearman": _cosine(_centred(response_ranks), _centred(wanted_ranks)),
        "snr_db": -20 * error.log10(),
    }


def ranks(responses: Tensor) -> Tensor:
    """Ranks from 1 within each row of (n, d), equal numbers sharing the mean of their ranks; float64.

    NaN throughout a row that has a number that is not finite.

    >>> ranks(torch.tensor([[0.5, 0.0, 0.5, 2.0]]))
    tensor([[2.5000, 1.0000, 2.5000, 4.0000]], dtype=torch.float64)
    """
    return torch.stack([_ranks(row) for row in responses])


def _ranks(row: Tensor) -> Tensor:
    if not row.isfinite().all():
        return torch.full_like(row, torch.nan, dtype=torch.float64)
    _, group, counts = torch.unique(row, return_inverse=True, return_counts=True)
    last = counts.cumsum(0)
    return (last - (counts - 1) / 2.0).double()[group]


def is_perfect(measure: str, value: float) -> bool:
    """Whether a measure is at its best, so that nothing could be closer; correlations but for rounding."""
    if measure in LOWER_IS_CLOSER:
        return value == 0
    return value == math.inf if measure == "snr_db" else value >= 1 - _ROUNDING


def _centred(rows: Tensor) -> Tensor:
    return rows - rows.mean(dim=1, keepdim=True)


def _cosine(one: Tensor, other: Tensor) -> Tensor:
    """NaN where a row has no length."""
    return (one * other).sum(dim=1) / (one.norm(dim=1) * other.norm(dim=1))
