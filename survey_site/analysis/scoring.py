"""Human-alignment scores from responses: estimate, intervals, d'. Pure numpy and scipy, no Django.

The score of a condition is the share of its scored responses whose chosen option is the one that answers
the reference (Nanda et al., AAAI 2023). Responses are clustered twice: by participant and by item (trial).

What a notebook needs::

    >>> rows = [ScoredRow("resnet", p, i, is_correct=(p, i) != ("b", "2")) for p in "ab" for i in "123"]
    >>> [score] = score_conditions(rows)
    >>> score.hits, score.n, round(score.estimate, 3)
    (5, 6, 0.833)
    >>> sorted(score.intervals)
    ['bootstrap', 'clopper_pearson', 'crossed', 'twoway', 'wilson']

All rows of one trial by one participant (a matching trial has three, and they depend on each other) share
their participant and their item, so every bootstrap here resamples them whole by construction, and the
two-way variance treats them as one cell. The pooled intervals (Wilson, Clopper-Pearson) do not.

The figures depend neither on the order of the rows nor on the participants' names: counts are integers and
exact fractions until the last step, and tables are put in an order of their own before anything is drawn.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import fsum, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

IntArray = NDArray[np.int64]

#: Draws held at once by a bootstrap (four million int64 are 32 MB), so memory does not grow with replicates.
DRAWS_AT_ONCE = 4_000_000


class ScoringError(ValueError):
    """Rows or settings that cannot be scored; the message names the value given and the values allowed."""


class ScoredRow(NamedTuple):
    """One answered reference of one main trial.

    condition: slug. participant, item: any stable ids; the item is the trial's id.
    is_correct: True if the chosen option answers the reference.
    n_options: how many options the trial offered (2 or more), None where unknown.
    """

    condition: str
    participant: str
    item: str
    is_correct: bool
    n_options: int | None = None


@dataclass(frozen=True, kw_only=True)
class ScoreSettings:
    """What determines the figures apart from the rows; carried by every score.

    confidence in (0, 1); replicates >= 100 for each bootstrap; rng_seed >= 0. Every condition starts its
    bootstraps from the same seed, so its figures do not depend on which other conditions are scored with it.
    """

    confidence: float = 0.95
    replicates: int = 10_000
    rng_seed: int = 2023

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ScoringError(f"confidence is {self.confidence!r}; it must lie between 0 and 1")
        if self.replicates < 100:
            raise ScoringError(f"replicates is {self.replicates!r}; it must be 100 or more")
        if self.rng_seed < 0:
            raise ScoringError(f"rng_seed is {self.rng_seed!r}; it must be 0 or more")


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a proportion; low and high in [0, 1]. The note says what it fell back to."""

    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ConditionScore:
    """A condition's human-alignment score with all that made it.

    estimate: hits / n, in [0, 1]. n: responses. n_participants, n_items: how many of each they come from.
    participant_mean, item_mean: mean of the participants' (items') own means, in [0, 1].
    chance: mean of 1 / n_options over the rows, None where a row does not tell.
    d_prime: `d_prime(hits, n)` where every row had two options, else None.
    intervals: by name, ``twoway`` (the default), ``bootstrap`` (over participants), ``crossed`` (the
    bootstrap over participants and items at once, conservative), ``wilson`` and ``clopper_pearson``
    (pooled: too narrow where people or items differ).
    """

    condition: str
    estimate: float
    n: int
    hits: int
    n_participants: int
    n_items: int
    participant_mean: float
    item_mean: float
    chance: float | None
    d_prime: float | None
    intervals: Mapping[str, Interval]
    settings: ScoreSettings


def score_conditions(
    rows: Iterable[ScoredRow], *, settings: ScoreSettings | None = None
) -> list[ConditionScore]:
    """Score every condition that occurs in `rows`, in the order of their names.

    `rows` may be an iterator of any length: what is kept is a few bytes per row. No rows give no scores.
    Raises ScoringError for an `is_correct` other than True, False, 1 or 0 and for `n_options` below 2.
    """
    settings = settings or ScoreSettings()
    gathered: dict[str, _Gathered] = {}
    for row in rows:
        _checked(row)
        gathered.setdefault(row.condition, _Gathered()).add(row)
    return [_score(name, gathered[name], settings) for name in sorted(gathered)]


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a pooled proportion, without continuity correction (Wilson 1927)."""
    return _pooled(hits, n, confidence, "wilson")


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact binomial interval of a pooled proportion (Clopper & Pearson 1934)."""
    return _pooled(hits, n, confidence, "exact")


def d_prime(hits: int, n: int) -> float:
    """Sensitivity in 2AFC, ``sqrt(2) * z(hits / n)`` (Macmillan & Creelman 2005, ch. 7).

    Where all or none are right, the proportion is the log-linear ``(hits + 0.5) / (n + 1)`` (Hautus 1995),
    so that the result is finite. Chance gives 0; 0.76 correct gives about 1.
    """
    share = (hits + 0.5) / (n + 1) if hits in (0, n) else hits / n
    return sqrt(2) * float(stats.norm.ppf(share))


def _pooled(hits: int, n: int, confidence: float, method: str) -> Interval:
    if n < 1 or not 0 <= hits <= n:
        raise ScoringError(f"{hits} hits of {n}; n must be 1 or more and hits between 0 and n")
    interval = stats.binomtest(hits, n).proportion_ci(confidence_level=confidence, method=method)
    return Interval(float(interval.low), float(interval.high))


def _checked(row: ScoredRow) -> None:
    if row.is_correct not in (0, 1):
        raise ScoringError(f"is_correct is {row.is_correct!r}; it must be True, False, 1 or 0")
    if row.n_options is not None and row.n_options < 2:
        raise ScoringError(f"n_options is {row.n_options!r}; it must be 2 or more")


@dataclass
class _Gathered:
    """The rows of one condition, counted per (participant, item) cell."""

    participants: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    answers: Counter[tuple[int, int]] = field(default_factory=Counter)
    hits: Counter[tuple[int, int]] = field(default_factory=Counter)
    options: Counter[int | None] = field(default_factory=Counter)

    def add(self, row: ScoredRow) -> None:
        cell = (
            self.participants.setdefault(row.participant, len(self.participants)),
            self.items.setdefault(row.item, len(self.items)),
        )
        self.answers[cell] += 1
        if row.is_correct:
            self.hits[cell] += 1
        self.options[row.n_options] += 1

    def table(self) -> "_Table":
        """Answers and hits, participant x item: items by name, participants by what they answered."""
        columns = {self.items[name]: place for place, name in enumerate(sorted(self.items))}
        answers = np.zeros((len(self.participants), len(self.items)), dtype=np.int64)
        hits = np.zeros_like(answers)
        for (participant, item), count in self.answers.items():
            answers[participant, columns[item]] = count
        for (participant, item), count in self.hits.items():
            hits[participant, columns[item]] = count
        order = np.lexsort(np.hstack([answers, hits]).T)
        return _Table(answers=answers[order], hits=hits[order])


@dataclass(frozen=True)
class _Table:
    """Answers and hits per (participant, item); participants in an order that their names do not set."""

    answers: IntArray
    hits: IntArray

    @property
    def by_participant(self) -> "_Clusters":
        return _Clusters(self.answers.sum(axis=1), self.hits.sum(axis=1))

    @property
    def by_item(self) -> "_Clusters":
        return _Clusters(self.answers.sum(axis=0), self.hits.sum(axis=0))

    @property
    def by_cell(self) -> "_Clusters":
        seen = self.answers > 0
        return _Clusters(self.answers[seen], self.hits[seen])


class _Clusters:
    """Clusters of responses as sorted distinct (n, hits) with their multiplicity: names are gone."""

    def __init__(self, n: IntArray, hits: IntArray) -> None:
        self.count = len(n)
        base = int(n.max()) + 1
        kinds, self.multiplicity = np.unique(n * base + hits, return_counts=True)
        self.n, self.hits = np.divmod(kinds, base)

    def mean_of_means(self) -> float:
        return fsum(m * h / n for n, h, m in self) / self.count

    def variance(self) -> Fraction:
        """Variance of the pooled mean as if only these clusters varied, ``G / (G - 1)`` corrected, exact.

        ``G / (G - 1) * sum_g (hits_g - n_g * mean)^2 / N^2``; 0 for a single cluster.
        """
        if self.count == 1:
            return Fraction(0)
        total = sum(m * n for n, _, m in self)
        right = sum(m * h for _, h, m in self)
        squares = sum(m * (total * h - n * right) ** 2 for n, h, m in self)
        return Fraction(self.count * squares, (self.count - 1) * total**4)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.n.tolist(), self.hits.tolist(), self.multiplicity.tolist(), strict=True)


def _score(condition: str, gathered: _Gathered, settings: ScoreSettings) -> ConditionScore:
    table = gathered.table()
    n, hits = int(table.answers.sum()), int(table.hits.sum())
    participants, items = table.by_participant, table.by_item
    return ConditionScore(
        condition=condition,
        estimate=hits / n,
        n=n,
        hits=hits,
        n_participants=participants.count,
        n_items=items.count,
        participant_mean=participants.mean_of_means(),
        item_mean=items.mean_of_means(),
        chance=_chance(gathered.options),
        d_prime=d_prime(hits, n) if set(gathered.options) == {2} else None,
        intervals={
            "twoway": _twoway(table, settings),
            "bootstrap": _bootstrap(participants, settings),
            "crossed": _crossed(table, settings),
            "wilson": wilson(hits, n, settings.confidence),
            "clopper_pearson": clopper_pearson(hits, n, settings.confidence),
        },
        settings=settings,
    )


def _chance(options: Counter[int | None]) -> float | None:
    if None in options:
        return None
    shares = sum(Fraction(count, number) for number, count in options.items() if number)
    return float(Fraction(shares) / options.total())


def _twoway(table: _Table, settings: ScoreSettings) -> Interval:
    """Interval from the two-way cluster variance (Cameron, Gelbach & Miller 2011, eq. 2.11).

    ``V = V_participants + V_items - V_residual`` with V_residual over the cells, each corrected by
    G / (G - 1), and a t on min(P, I) - 1 degrees of freedom; clipped to [0, 1]. The corrections are those of
    statsmodels and Stata; without them 10 x 8 studies are covered .89-.93 of the time instead of .93-.94.

    Falls back, and says so in the note: with one participant (item) to the one-way variance over items
    (participants) on their count - 1 degrees of freedom; with a sum that is not positive to the largest of
    its three parts; without any spread (all right, all wrong, a single cell) to Clopper-Pearson on as many
    answers as there are clusters of the scarcer kind: identical clusters are no more evidence than that.
    """
    by_participant, by_item = table.by_participant, table.by_item
    parts = (by_participant.variance(), by_item.variance(), table.by_cell.variance())
    varying = [clusters.count for clusters in (by_participant, by_item) if clusters.count > 1]
    mean = float(table.hits.sum() / table.answers.sum())
    if not varying or not any(parts):
        answers = min(varying, default=int(table.answers.sum()))
        return _exact_for_share(mean, answers, settings.confidence)
    variance, note = _combined(parts, by_participant.count, by_item.count)
    half = sqrt(variance) * float(stats.t.ppf((1 + settings.confidence) / 2, min(varying) - 1))
    return Interval(max(0.0, mean - half), min(1.0, mean + half), note)


def _combined(
    parts: tuple[Fraction, Fraction, Fraction], participants: int, items: int
) -> tuple[Fraction, str]:
    """The variance to use and the note on it; `parts` are those over participants, items and cells."""
    if participants == 1:
        return max(parts[1:]), "one participant: variance over items only"
    if items == 1:
        return max(parts[0], parts[2]), "one item: variance over participants only"
    total = parts[0] + parts[1] - parts[2]
    if total > 0:
        return total, ""
    return max(parts), "the two-way sum was not positive: largest of its parts"


def _exact_for_share(share: float, answers: int, confidence: float) -> Interval:
    hits, tail = share * answers, (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, hits, answers - hits + 1)) if hits > 0 else 0.0
    high = float(stats.beta.isf(tail, hits + 1, answers - hits)) if hits < answers else 1.0
    return Interval(low, high, f"no spread between clusters: Clopper-Pearson on {answers}")


def _bootstrap(clusters: _Clusters, settings: ScoreSettings) -> Interval:
    """Percentile bootstrap over whole participants (Efron & Tibshirani 1993, ch. 13).

    Drawing P participants with replacement is a multinomial draw over their distinct (n, hits), which needs
    one number per distinct pair and replicate instead of one per participant.
    """
    if clusters.count == 1:
        share = float(clusters.hits[0] / clusters.n[0])
        return Interval(share, share, "one participant: nothing to resample")
    rng = _generator(settings, 0)
    shares = np.empty(settings.replicates)
    for part in _parts(settings.replicates, width=len(clusters.n)):
        weights = rng.multinomial(
            clusters.count, clusters.multiplicity / clusters.count, size=part.stop - part.start
        )
        shares[part] = (weights @ clusters.hits) / (weights @ clusters.n)
    return _percentiles(shares, settings.confidence)


def _crossed(table: _Table, settings: ScoreSettings) -> Interval:
    """Pigeonhole bootstrap over participants and items at once (Owen 2007, Ann. Appl. Stat. 1:386).

    A cell's weight is the product of its participant's and its item's. Conservative: with no participant or
    item effects it is sqrt(3) times as wide as needed. Replicates that draw no answered cell are left out
    and counted in the note.
    """
    if table.answers.size == 1:
        share = float(table.hits[0, 0] / table.answers[0, 0])
        return Interval(share, share, "one participant and one item: nothing to resample")
    rng = _generator(settings, 1)
    people, items = table.answers.shape
    # Sums of products of small integers stay exact in float64, so BLAS cannot change a bit of them.
    answers, hits = table.answers.astype(float), table.hits.astype(float)
    n, right = np.empty(settings.replicates), np.empty(settings.replicates)
    for part in _parts(settings.replicates, width=max(people, items)):
        person_weights = _draw_weights(rng, people, part.stop - part.start)
        item_weights = _draw_weights(rng, items, part.stop - part.start)
        n[part] = np.einsum("ri,ri->r", person_weights @ answers, item_weights)
        right[part] = np.einsum("ri,ri->r", person_weights @ hits, item_weights)
    drawn = n > 0
    missed = settings.replicates - int(drawn.sum())
    note = f"{missed} replicates drew no answered cell" if missed else ""
    return _percentiles(right[drawn] / n[drawn], settings.confidence, note)


def _draw_weights(rng: np.random.Generator, size: int, replicates: int) -> NDArray[np.float64]:
    """How often each of `size` things is drawn in `size` draws with replacement; (replicates, size)."""
    draws = rng.integers(0, size, (replicates, size)) + size * np.arange(replicates)[:, None]
    return np.bincount(draws.ravel(), minlength=replicates * size).reshape(replicates, size).astype(float)


def _generator(settings: ScoreSettings, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(settings.rng_seed, spawn_key=(stream,)))


def _parts(replicates: int, *, width: int) -> Iterator[slice]:
    step = max(1, DRAWS_AT_ONCE // width)
    for start in range(0, replicates, step):
        yield slice(start, min(start + step, replicates))


def _percentiles(shares: NDArray[np.float64], confidence: float, note: str = "") -> Interval:
    low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), note)
