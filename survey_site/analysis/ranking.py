"""A ranking of networks (or of any conditions) from who beats whom: the Bradley-Terry model. Pure numpy.

Its errors are over participants, for exactly these trials: which trials a network was asked about with is
taken as given. Whether networks differ beyond them tell `comparisons.compare_conditions` and the mixed model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError

FloatArray = NDArray[Any]  # float64; numpy's stubs lose the type in linalg


@dataclass(frozen=True, kw_only=True)
class Strength:
    """One contestant: `strength` on the logit scale, 0 on average over contestants.

    The chance that i beats j is ``1 / (1 + exp(strength_j - strength_i))``. low, high: 95 % by the normal
    law; error: their standard error, over participants for exactly these trials. wins: ties count one half.
    rank counts from 1.
    """

    name: str
    strength: float
    error: float
    low: float
    high: float
    wins: float
    losses: float
    rank: int


def bradley_terry(wins: FloatArray, *, iterations: int = 100) -> tuple[FloatArray, FloatArray]:
    """Maximum-likelihood strengths and their covariance (Bradley & Terry 1952), from a table of wins.

    wins[i, j]: how often i beat j, (k, k), 0 or more, ties as one half each way; the diagonal is ignored.
    Strengths sum to 0; the covariance is the inverse information under that constraint. Newton's steps.
    Raises ScoringError unless everybody is reached from everybody by a chain of wins (Ford 1957): otherwise
    some strength is infinite.
    """
    wins = np.array(wins, dtype=float)
    np.fill_diagonal(wins, 0)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or len(wins) < 2:
        raise ScoringError(f"wins have shape {wins.shape}; it must be (k, k) with k from 2")
    if wins.min() < 0:
        raise ScoringError(f"wins hold {wins.min()}; they must be 0 or more")
    groups, _ = scipy.sparse.csgraph.connected_components(wins > 0, connection="strong")
    if groups > 1:
        raise ScoringError("some contestants never lost to, or never met, the others; strengths are infinite")
    games = wins + wins.T
    strength = np.zeros(len(wins))
    for _ in range(iterations):
        chance = _chance(strength)
        step = np.linalg.pinv(_information(games, chance)) @ (wins - games * chance).sum(axis=1)
        strength += step
        if np.abs(step).max() < 1e-12:
            break
    return strength - strength.mean(), np.linalg.pinv(_information(games, _chance(strength)))


def rank_networks(table: AnswerTable, network_of: Mapping[str, str]) -> list[Strength]:
    """Rank networks by people's choices, best first: each participant is one game between any two networks.

    A participant's share of right answers in a network's conditions (those that `network_of` maps to it)
    decides who wins; equal shares are a tie, half a win each. Games of one participant depend on each other,
    so the standard errors are clustered by participant (Liang & Zeger 1986, no small-sample factor): they are
    over participants, for exactly these trials, and too small for a statement about networks as such. Raises
    ScoringError for fewer than two networks, for networks that were asked about with different or unknown
    numbers of options (guessing alone would rank them), and as `bradley_terry`.
    """
    pooled = table.regrouped(network_of.get)
    names = pooled.seen_conditions()
    if len(names) < 2:
        raise ScoringError(f"{len(names)} networks have answers; a ranking needs 2 or more")
    unknown = [name for name in names if 0 in pooled.options_of(name)]
    if unknown:
        raise ScoringError(
            f"how many options {', '.join(unknown)} had is not known for every answer, so chance is not known"
        )
    if len({pooled.options_of(name) for name in names}) > 1:
        raise ScoringError(
            "networks were asked about with different numbers of options, so their chance levels differ"
        )
    outcomes = _outcomes(_shares(pooled))
    wins = np.nansum(outcomes, axis=0)
    strength, inverse = bradley_terry(wins)
    surprise = np.nansum(outcomes - np.where(np.isnan(outcomes), np.nan, _chance(strength)), axis=2)
    covariance = inverse @ surprise.T @ surprise @ inverse
    return _ranked(names, strength, np.sqrt(np.diag(covariance)), wins)


def _ranked(names: list[str], strength: FloatArray, error: FloatArray, wins: FloatArray) -> list[Strength]:
    z = float(scipy.stats.norm.ppf(0.975))
    best_first = sorted(range(len(names)), key=lambda place: (-strength[place], names[place]))
    return [
        Strength(
            name=names[place],
            strength=float(strength[place]),
            error=float(error[place]),
            low=float(strength[place] - z * error[place]),
            high=float(strength[place] + z * error[place]),
            wins=float(wins[place].sum()),
            losses=float(wins[:, place].sum()),
            rank=rank,
        )
        for rank, place in enumerate(best_first, start=1)
    ]


def _shares(table: AnswerTable) -> FloatArray:
    """Share right, (participants, networks); NaN where a participant did not answer for the network."""
    shape = (len(table.participants), len(table.conditions))
    cell = table.participant * shape[1] + table.condition
    n = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    hits = np.bincount(cell[table.is_correct], minlength=shape[0] * shape[1]).reshape(shape)
    return np.divide(hits, n, out=np.full(shape, np.nan), where=n > 0)


def _outcomes(shares: FloatArray) -> FloatArray:
    """(participants, k, k): 1 where the row's network beat the column's, 1/2 a tie, NaN if they never met."""
    ahead = shares[:, :, None] - shares[:, None, :]
    outcomes = (np.sign(ahead) + 1) / 2
    outcomes[:, np.arange(shares.shape[1]), np.arange(shares.shape[1])] = np.nan
    return outcomes


def _chance(strength: FloatArray) -> FloatArray:
    """Chance that the row's contestant beats the column's."""
    return 1 / (1 + np.exp(strength[None, :] - strength[:, None]))


def _information(games: FloatArray, chance: FloatArray) -> FloatArray:
    weight = games * chance * (1 - chance)
    return np.diag(weight.sum(axis=1)) - weight
