"""The model of record: logit P(right) = condition + participant + item, both random. Pure numpy and scipy.

Fitted by maximum likelihood under Laplace's approximation, as lme4's `glmer` does by default (Bates et al.
2015, J. Stat. Softw. 67:1); statsmodels has a variational fit with priors only.

There is no term for a participant and an item together: the several answers of one person to one item (a
repeat, the references of a matching trial) count as independent once participant and item are given, and a
participant's effect is the same in every condition. Where that does not hold, errors and p values are mostly
too small. The two-way interval and the tests within participants do not rest on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.answers import AnswerTable, ScoringError

#: float64 throughout; numpy's stubs lose the type in bincount and linalg.
FloatArray = NDArray[Any]
IntArray = NDArray[np.int64]

#: A standard deviation on the logit scale that is as good as none; where the search for one ends.
SMALLEST_SD = 1e-4


@dataclass(frozen=True, kw_only=True)
class ConditionEffect:
    """A condition's logit for an average participant and item; low, high: Wald's interval.

    share, share_low, share_high: the same as a probability. For an average person and item, that is not the
    mean over people and items, which the score is.
    """

    condition: str
    logit: float
    error: float
    low: float
    high: float
    share: float
    share_low: float
    share_high: float


@dataclass(frozen=True, kw_only=True)
class MixedLogit:
    """A fit: effects by name of condition, covariance of their logits (k, k), standard deviations of
    participants and items on the logit scale, the maximised log-likelihood (Laplace; rows are Bernoulli
    trials), and what it rests on.

    note: what a reader must know (a standard deviation at its lower end, a search that did not converge).
    """

    effects: tuple[ConditionEffect, ...]
    covariance: FloatArray
    participant_sd: float
    item_sd: float
    log_likelihood: float
    n: int
    n_participants: int
    n_items: int
    note: str

    def difference(self, first: str, second: str, *, confidence: float = 0.95) -> Mapping[str, float]:
        """Wald's test of two conditions' logits: estimate, error, low, high, z and p_value."""
        names = [effect.condition for effect in self.effects]
        for name in (first, second):
            if name not in names:
                raise ScoringError(f"condition {name!r} is not in the model; it has {', '.join(names)}")
        i, j = names.index(first), names.index(second)
        estimate = self.effects[i].logit - self.effects[j].logit
        variance = self.covariance[i, i] + self.covariance[j, j] - 2 * self.covariance[i, j]
        error = float(np.sqrt(variance))
        half = error * float(scipy.stats.norm.ppf((1 + confidence) / 2))
        z = estimate / error
        return {
            "estimate": estimate,
            "error": error,
            "low": estimate - half,
            "high": estimate + half,
            "z": z,
            "p_value": 2 * float(scipy.stats.norm.sf(abs(z))),
        }


def fit_mixed_logit(table: AnswerTable, *, confidence: float = 0.95) -> MixedLogit:
    """Fit logit P(right) ~ 0 + condition + (1 | participant) + (1 | item) to all rows of `table`.

    Raises ScoringError for fewer than two participants or items, and for a condition whose answers are all
    right or all wrong: its logit would be infinite (`without_flat` leaves it out).
    """
    problem = _Problem(table)
    start = np.concatenate([problem.starting_logits(), [log(0.5), log(0.5)]])
    bounds = [(None, None)] * problem.n_conditions + [(log(SMALLEST_SD), log(20.0))] * 2
    found = scipy.optimize.minimize(
        problem.objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-14, "gtol": 1e-7},
    )
    return _result(problem, found, confidence)


def without_flat(table: AnswerTable) -> tuple[AnswerTable, list[str]]:
    """The answers without conditions that are all right or all wrong, such as perfect controls, and these."""
    rights = np.bincount(table.condition[table.is_correct], minlength=len(table.conditions))
    counts = np.bincount(table.condition, minlength=len(table.conditions))
    flat = {
        name for name, hits, n in zip(table.conditions, rights, counts, strict=True) if n and hits in (0, n)
    }
    return table.regrouped(lambda name: None if name in flat else name), sorted(flat)


class _Problem:
    """The data as cells (condition, participant, item), and the Laplace log-likelihood with its gradient."""

    def __init__(self, table: AnswerTable) -> None:
        self.names = table.seen_conditions()
        condition = _codes_of(table, self.names)
        people, person = np.unique(table.participant, return_inverse=True)
        items, item = np.unique(table.item, return_inverse=True)
        if min(len(people), len(items)) < 2:
            raise ScoringError(
                f"{len(people)} participants and {len(items)} items; the model needs 2 of each"
            )
        self.n_conditions, self.n_people, self.n_items = len(self.names), len(people), len(items)
        cell = (condition * len(people) + person) * len(items) + item
        cells, at = np.unique(cell, return_inverse=True)
        self.n = np.bincount(at).astype(float)
        self.hits = np.bincount(at, weights=table.is_correct, minlength=len(cells))
        rest, self.item = np.divmod(cells, len(items))
        self.condition, self.person = np.divmod(rest, len(people))
        self._refuse_infinite()
        self.u = np.zeros(len(people) + len(items))

    def _refuse_infinite(self) -> None:
        n, hits = self._by_condition(self.n), self._by_condition(self.hits)
        flat = [name for name, m, h in zip(self.names, n, hits, strict=True) if h in (0, m)]
        if flat:
            raise ScoringError(
                f"answers are all right or all wrong in {', '.join(flat)}; its logit is infinite"
            )

    def starting_logits(self) -> FloatArray:
        share = self._by_condition(self.hits) / self._by_condition(self.n)
        return np.log(share / (1 - share))

    def objective(self, parameters: FloatArray) -> tuple[float, FloatArray]:
        """Minus the Laplace log-likelihood, and its gradient, at (logits, log sd of people, of items)."""
        mode = self._mode(parameters)
        value = mode.log_density - 0.5 * mode.log_determinant
        return -value, -self._gradient(mode)

    def _mode(self, parameters: FloatArray) -> "_Mode":
        """Newton's method for the most likely effects u (of unit variance), from where it last ended."""
        logits, sds = parameters[:-2], np.exp(parameters[-2:])
        mode = _Mode(self, logits, sds, self.u)
        for _ in range(100):
            step = mode.solve(mode.gradient_u)
            if float(mode.gradient_u @ step) < 1e-18 * max(1.0, abs(mode.log_density)):
                break
            better = self._stepped(mode, logits, sds, step)
            if better is None:
                break
            mode = better
        self.u = mode.u
        return mode

    def _stepped(
        self, mode: "_Mode", logits: FloatArray, sds: FloatArray, step: FloatArray
    ) -> "_Mode | None":
        """The first of ever shorter steps that does not lose; None if none gains."""
        for halvings in range(30):
            candidate = _Mode(self, logits, sds, mode.u + step / 2**halvings)
            if candidate.log_density >= mode.log_density:
                return candidate
        return None

    def _gradient(self, mode: "_Mode") -> FloatArray:
        """Of log density - 1/2 log determinant along the mode; how the mode itself moves is part of it."""
        residual = self.hits - self.n * mode.p
        bend = 0.5 * mode.leverage * self.n * mode.p * (1 - mode.p) * (1 - 2 * mode.p)
        # d eta = direct - Z L H^-1 (L Z' W direct [- u of the block]); L = diag(sds).
        carried = mode.weight * mode.spread(mode.solve(mode.gather(bend)))
        of_logits = self._by_condition(residual - bend + carried)
        solved = mode.solve(mode.gather(bend))
        of_sds = np.empty(2)
        for block, (own, trace, count) in enumerate(mode.blocks()):
            direct = mode.spread(own)
            of_sds[block] = (
                direct @ residual - (count - trace) - direct @ bend - own @ solved + direct @ carried
            )
        return np.concatenate([of_logits, of_sds])

    def _by_condition(self, values: FloatArray) -> FloatArray:
        return np.bincount(self.condition, weights=values, minlength=self.n_conditions)


class _Mode:
    """Everything at one set of effects u. Participants come first in u, then items.

    Minus the second derivative in u is ``H = [[D_p, C], [C', D_i]]`` with diagonal D: eliminating the larger
    of the two groups leaves one dense matrix of the size of the smaller.
    """

    def __init__(self, problem: _Problem, logits: FloatArray, sds: FloatArray, u: FloatArray) -> None:
        self.problem, self.sds, self.u = problem, sds, u
        eta = logits[problem.condition] + self.spread(u)
        self.p = scipy.special.expit(eta)
        self.weight = problem.n * self.p * (1 - self.p)
        # Exact also where eta is large: log(1 - p) = -log(1 + e^eta).
        likelihood = problem.hits @ eta - problem.n @ np.logaddexp(0, eta)
        self.log_density = float(likelihood - 0.5 * u @ u)
        self.gradient_u = self.gather(problem.hits - problem.n * self.p) - u

    def spread(self, effects: FloatArray) -> FloatArray:
        """Effects as they enter each cell's logit."""
        people, items = effects[: self.problem.n_people], effects[self.problem.n_people :]
        return self.sds[0] * people[self.problem.person] + self.sds[1] * items[self.problem.item]

    def gather(self, values: FloatArray) -> FloatArray:
        """The transpose of `spread`."""
        problem = self.problem
        people = np.bincount(problem.person, weights=values, minlength=problem.n_people)
        items = np.bincount(problem.item, weights=values, minlength=problem.n_items)
        return np.concatenate([self.sds[0] * people, self.sds[1] * items])

    @cached_property
    def _system(self) -> "_BorderedSystem":
        problem = self.problem
        people = np.bincount(problem.person, weights=self.weight, minlength=problem.n_people)
        items = np.bincount(problem.item, weights=self.weight, minlength=problem.n_items)
        cross = np.bincount(
            problem.person * problem.n_items + problem.item,
            weights=self.weight,
            minlength=problem.n_people * problem.n_items,
        ).reshape(problem.n_people, problem.n_items)
        return _BorderedSystem(
            1 + self.sds[0] ** 2 * people, 1 + self.sds[1] ** 2 * items, self.sds[0] * self.sds[1] * cross
        )

    def solve(self, right: FloatArray) -> FloatArray:
        """H^-1 `right`."""
        return self._system.solve(right)

    @property
    def log_determinant(self) -> float:
        return self._system.log_determinant

    @cached_property
    def leverage(self) -> FloatArray:
        """Variance of each cell's logit given the data, ``z' L H^-1 L z``."""
        people, items, cross = self._system.inverse_parts
        problem = self.problem
        return (
            self.sds[0] ** 2 * people[problem.person]
            + self.sds[1] ** 2 * items[problem.item]
            + 2 * self.sds[0] * self.sds[1] * cross[problem.person, problem.item]
        )

    def blocks(self) -> list[tuple[FloatArray, float, int]]:
        """For participants and items: u with the other block at 0, trace of H^-1 there, and its size."""
        people, items, _ = self._system.inverse_parts
        own_people, own_items = self.u.copy(), self.u.copy()
        own_people[len(people) :] = 0
        own_items[: len(people)] = 0
        return [
            (own_people, float(people.sum()), len(people)),
            (own_items, float(items.sum()), len(items)),
        ]


class _BorderedSystem:
    """``[[diag(a), C], [C', diag(b)]]``, positive definite, solved by eliminating the larger block."""

    def __init__(self, a: FloatArray, b: FloatArray, cross: FloatArray) -> None:
        self.turned = len(a) < len(b)
        self.large, self.small = (b, a) if self.turned else (a, b)
        self.cross = cross.T if self.turned else cross  # (large, small)
        self.n_first = len(a)
        self.scaled = self.cross / self.large[:, None]
        self.factor = np.linalg.cholesky(np.diag(self.small) - self.cross.T @ self.scaled)

    @property
    def log_determinant(self) -> float:
        return float(np.log(self.large).sum() + 2 * np.log(np.diag(self.factor)).sum())

    def solve(self, right: FloatArray) -> FloatArray:
        first, second = right[: self.n_first], right[self.n_first :]
        large, small = (second, first) if self.turned else (first, second)
        reduced = small - self.scaled.T @ large
        of_small = scipy.linalg.cho_solve((self.factor, True), reduced)
        of_large = large / self.large - self.scaled @ of_small
        return np.concatenate([of_small, of_large] if self.turned else [of_large, of_small])

    @cached_property
    def inverse_parts(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Diagonals of the inverse's two blocks and its off-diagonal block (first, second)."""
        inverse = np.linalg.inv(self.factor)
        small = inverse.T @ inverse
        off = -self.scaled @ small
        large = 1 / self.large - np.einsum("ls,ls->l", off, self.scaled)
        if self.turned:
            return np.diag(small).copy(), large, off.T
        return large, np.diag(small).copy(), off


def _codes_of(table: AnswerTable, names: list[str]) -> IntArray:
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places.get(name, -1) for name in table.conditions], dtype=np.int64)
    return codes[table.condition]


def _result(problem: _Problem, found: scipy.optimize.OptimizeResult, confidence: float) -> MixedLogit:
    k = problem.n_conditions
    covariance = _covariance(problem, found.x)
    z = float(scipy.stats.norm.ppf((1 + confidence) / 2))
    sds = np.exp(found.x[k:])
    effects = []
    for name, logit, error in zip(problem.names, found.x[:k], np.sqrt(np.diag(covariance)), strict=True):
        low, high = float(logit - z * error), float(logit + z * error)
        effects.append(
            ConditionEffect(
                condition=name,
                logit=float(logit),
                error=float(error),
                low=low,
                high=high,
                share=_share(float(logit)),
                share_low=_share(low),
                share_high=_share(high),
            )
        )
    return MixedLogit(
        effects=tuple(effects),
        covariance=covariance,
        participant_sd=float(sds[0]),
        item_sd=float(sds[1]),
        log_likelihood=float(-found.fun),
        n=int(problem.n.sum()),
        n_participants=problem.n_people,
        n_items=problem.n_items,
        note=_note(found, sds),
    )


def _share(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit > -700 else 0.0


def _note(found: scipy.optimize.OptimizeResult, sds: FloatArray) -> str:
    said = []
    for name, sd in zip(("participants", "items"), sds, strict=True):
        if sd <= 2 * SMALLEST_SD:
            said.append(f"{name} do not differ measurably")
    if not found.success:
        said.append(f"the search did not converge: {found.message}")
    return "; ".join(said)


def _covariance(problem: _Problem, x: FloatArray) -> FloatArray:
    """Of the logits: from the inverse of the curvature in all parameters (central differences of gradients).

    A standard deviation at its lower end is held there, since the likelihood is flat beyond.
    """
    k = problem.n_conditions
    free = [place for place in range(k + 2) if place < k or x[place] > log(2 * SMALLEST_SD)]
    h = 1e-4
    curvature = np.empty((len(free), len(free)))
    for row, place in enumerate(free):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += h
        behind[place] -= h
        change = problem.objective(ahead)[1] - problem.objective(behind)[1]
        curvature[row] = change[free] / (2 * h)
    inverse = np.linalg.pinv((curvature + curvature.T) / 2, hermitian=True)
    return inverse[:k, :k]
