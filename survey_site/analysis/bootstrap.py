"""Bootstrap intervals over participants, and over participants and items at once. Numpy and scipy.fft."""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from survey_site.analysis.cells import CellTable, Clusters
from survey_site.analysis.intervals import Interval
from survey_site.analysis.score_settings import ScoreSettings

#: float32 where that is exact, else float64.
FloatArray = NDArray[Any]

#: Draws held at once by a bootstrap (two million int64 are 16 MB), so memory does not grow with replicates.
DRAWS_AT_ONCE = 2_000_000
#: Whole numbers up to here are exact in float32.
EXACT_IN_FLOAT32 = 2**24
#: How far from its mean, in standard deviations, the exact bootstrap distribution is looked at.
FURTHEST_SDS = 14
#: Of a cumulated distribution after a Fourier transform there and back.
ROUNDING = 1e-12

PEOPLE_DRAWN, ITEMS_DRAWN = 0, 1

NO_WIDTH = "no width: drawing these answers again changes nothing, which says nothing about other people's"


def over_participants(groups: Sequence[Clusters], settings: ScoreSettings) -> list[Interval]:
    """Percentile bootstrap over whole participants (Efron & Tibshirani 1993, ch. 13), per group of them.

    Where all participants gave equally many answers, the whole bootstrap distribution is computed
    (`exact_over_participants`): what infinitely many replicates would give. Otherwise replicates are drawn.
    How often each of P participants is drawn depends on the seed and on P only, so groups of equally many
    share their draws, and a replicate of all of them is one product of small matrices. A group's interval is
    the same whichever others come with it.
    """
    exact = [exact_over_participants(group, settings.confidence) for group in groups]
    drawn = [place for place, interval in enumerate(exact) if interval is None]
    resampled = dict(zip(drawn, _resampled([groups[place] for place in drawn], settings), strict=True))
    return [resampled[place] if interval is None else interval for place, interval in enumerate(exact)]


def exact_over_participants(clusters: Clusters, confidence: float) -> Interval | None:
    """Percentiles of the bootstrap distribution itself; None where answers per participant differ.

    The hits of P participants drawn with replacement are a sum of P independent draws from the participants'
    own hits: its distribution is theirs, convolved P times with itself, here by the Fourier transform. Drawn
    replicates scatter around these percentiles. Hits are whole numbers, so the result has no rounding in it.
    """
    if clusters.n[0] != clusters.n[-1]:
        return None
    if clusters.count == 1:
        return _nothing_to_resample(clusters)
    values, chances = clusters.hits - clusters.hits.min(), clusters.multiplicity / clusters.count
    mean = clusters.count * float(chances @ values)
    sd = sqrt(clusters.count * float(chances @ values**2) - mean**2 / clusters.count)
    # The sums that are looked at: all, or those around the mean; what lies further away has no chance.
    most = clusters.count * int(values.max())
    length = scipy.fft.next_fast_len(min(most, ceil(2 * FURTHEST_SDS * sd)) + 1, real=True)
    first = max(0, ceil(mean - length / 2)) if length <= most else 0
    one = np.bincount(values % length, weights=chances, minlength=length)
    wrapped = scipy.fft.irfft(scipy.fft.rfft(one) ** clusters.count, length)
    sums = np.cumsum(np.roll(wrapped, -(first % length)))
    total = int(clusters.n[0]) * clusters.count
    base = int(clusters.hits.min()) * clusters.count + first
    low, high = (
        (base + int(np.searchsorted(sums, share - ROUNDING))) / total
        for share in ((1 - confidence) / 2, (1 + confidence) / 2)
    )
    return Interval(low, high, NO_WIDTH if low == high else "")


def _resampled(groups: Sequence[Clusters], settings: ScoreSettings) -> list[Interval]:
    shares = [np.empty(settings.replicates) for _ in groups]
    for people in {group.count for group in groups}:
        places = [place for place, group in enumerate(groups) if group.count == people]
        sums = np.hstack([_rows_and_hits(groups[place]) for place in places])
        kind = _exact_type(int(sums.max()) * people)
        rng = _generator(settings, PEOPLE_DRAWN, people)
        for part in _parts(settings.replicates, width=people):
            weights = _draw_weights(rng, people, part.stop - part.start).astype(kind)
            drawn = weights @ sums.astype(kind)
            for column, place in enumerate(places):
                n, hits = drawn[:, 2 * column].astype(float), drawn[:, 2 * column + 1].astype(float)
                shares[place][part] = hits / n
    return [_one_way_interval(group, own, settings) for group, own in zip(groups, shares, strict=True)]


def crossed(tables: Sequence[CellTable], settings: ScoreSettings) -> list[Interval]:
    """Pigeonhole bootstrap over participants and items at once (Owen 2007, Ann. Appl. Stat. 1:386).

    A cell's weight is the product of its participant's and its item's. Conservative: with no participant or
    item effects it is sqrt(3) times as wide as needed. Replicates that draw no answered cell are left out
    and counted in the note.

    The weights depend on the seed and on the number of participants (items) only, so tables with equally
    many share them, and a replicate of all of them is one matrix product. A table's interval is the same
    whichever others come with it.
    """
    return [both for _, both in one_way_and_crossed(tables, settings)]


def one_way_and_crossed(
    tables: Sequence[CellTable], settings: ScoreSettings
) -> list[tuple[Interval, Interval]]:
    """`over_participants` and `crossed` of every table, to the bit, from participants drawn once for both."""
    sums = [np.empty((4, settings.replicates)) for _ in tables]
    for people in {table.answers.shape[0] for table in tables}:
        places = [place for place, table in enumerate(tables) if table.answers.shape[0] == people]
        group = _Group([tables[place] for place in places])
        for part, drawn in group.replicates(settings):
            for place, four in zip(places, drawn, strict=True):
                for row, values in zip(sums[place], four, strict=True):
                    row[part] = values
    return [
        (
            exact_over_participants(table.by_participant, settings.confidence)
            or _one_way_interval(table.by_participant, own[1] / own[0], settings),
            _crossed_interval(table, own[2], own[3], settings),
        )
        for table, own in zip(tables, sums, strict=True)
    ]


#: Of one table in some replicates: rows and hits with participants drawn, and with items drawn as well.
_Sums = tuple[FloatArray, FloatArray, FloatArray | float, FloatArray]


class _Group:
    """Tables of equally many participants, side by side as one matrix."""

    def __init__(self, tables: Sequence[CellTable]) -> None:
        self.people = tables[0].answers.shape[0]
        self.widths = [table.answers.shape[1] for table in tables]
        sums = np.hstack([_rows_and_hits(table.by_participant) for table in tables])
        self.type = _exact_type(self.people * int(sums.max()))
        self.sums = sums.astype(self.type)
        self.hits = np.hstack([table.hits for table in tables]).astype(self.type)
        # In a complete table every replicate has as many rows as the table.
        self.rows = [_equal_rows(table) for table in tables]
        incomplete = [table.answers for table, rows in zip(tables, self.rows, strict=True) if rows is None]
        self.answers = np.hstack(incomplete).astype(self.type) if incomplete else None

    def replicates(self, settings: ScoreSettings) -> Iterator[tuple[slice, list[_Sums]]]:
        """Part by part of the replicates, for each table."""
        person_rng = _generator(settings, PEOPLE_DRAWN, self.people)
        item_rngs = {width: _generator(settings, ITEMS_DRAWN, width) for width in sorted(set(self.widths))}
        for part in _parts(settings.replicates, width=max(self.people, *self.widths)):
            size = part.stop - part.start
            person_weights = _draw_weights(person_rng, self.people, size).astype(self.type)
            item_weights = {
                width: _draw_weights(rng, width, size).astype(float) for width, rng in item_rngs.items()
            }
            yield part, self._sums(person_weights, item_weights)

    def _sums(self, person_weights: FloatArray, item_weights: dict[int, FloatArray]) -> list[_Sums]:
        one_way = (person_weights @ self.sums).astype(float)
        hits = person_weights @ self.hits
        answers = None if self.answers is None else person_weights @ self.answers
        sums: list[_Sums] = []
        hits_from = answers_from = 0
        for place, (width, rows) in enumerate(zip(self.widths, self.rows, strict=True)):
            weights = item_weights[width]
            right = np.einsum("ri,ri->r", hits[:, hits_from : hits_from + width], weights)
            hits_from += width
            n: FloatArray | float
            if rows is None and answers is not None:
                n = np.einsum("ri,ri->r", answers[:, answers_from : answers_from + width], weights)
                answers_from += width
            else:
                n = float(rows or 0)
            sums.append((one_way[:, 2 * place], one_way[:, 2 * place + 1], n, right))
        return sums


def _exact_type(largest_sum: int) -> type[np.float32] | type[np.float64]:
    """Sums of products of small integers are exact in either type, so BLAS cannot change a bit of them."""
    return np.float32 if largest_sum < EXACT_IN_FLOAT32 else np.float64


def _rows_and_hits(clusters: Clusters) -> NDArray[np.int64]:
    """(participants, 2), in the clusters' own order."""
    both = np.stack([clusters.n, clusters.hits], axis=1)
    return np.repeat(both, clusters.multiplicity, axis=0)


def _one_way_interval(clusters: Clusters, shares: NDArray[np.float64], settings: ScoreSettings) -> Interval:
    if clusters.count == 1:
        return _nothing_to_resample(clusters)
    return _percentiles(shares, settings.confidence)


def _nothing_to_resample(clusters: Clusters) -> Interval:
    share = float(clusters.hits[0] / clusters.n[0])
    return Interval(share, share, "one participant: nothing to resample")


def _equal_rows(table: CellTable) -> int | None:
    """How many rows every replicate has if all cells have equally many, else None."""
    per_cell = int(table.answers.flat[0])
    return per_cell * table.answers.size if np.all(table.answers == per_cell) else None


def _crossed_interval(
    table: CellTable, n: NDArray[np.float64], right: NDArray[np.float64], settings: ScoreSettings
) -> Interval:
    if table.answers.size == 1:
        return Interval(table.estimate, table.estimate, "one participant and one item: nothing to resample")
    drawn = n > 0
    missed = settings.replicates - int(drawn.sum())
    note = f"{missed} replicates drew no answered cell" if missed else ""
    return _percentiles(right[drawn] / n[drawn], settings.confidence, note)


def _draw_weights(rng: np.random.Generator, size: int, replicates: int) -> NDArray[np.int64]:
    """How often each of `size` things is drawn in `size` draws with replacement; (replicates, size)."""
    draws = rng.integers(0, size, (replicates, size), dtype=np.uint32).astype(np.int64)
    draws += size * np.arange(replicates)[:, None]
    return np.bincount(draws.ravel(), minlength=replicates * size).reshape(replicates, size)


def _generator(settings: ScoreSettings, *stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(settings.rng_seed, spawn_key=stream))


def _parts(replicates: int, *, width: int) -> Iterator[slice]:
    step = max(1, DRAWS_AT_ONCE // width)
    for start in range(0, replicates, step):
        yield slice(start, min(start + step, replicates))


def _percentiles(shares: NDArray[np.float64], confidence: float, note: str = "") -> Interval:
    low, high = np.quantile(shares, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), "; ".join(filter(None, [note, NO_WIDTH * bool(low == high)])))
