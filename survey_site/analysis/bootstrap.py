"""Bootstrap intervals over participants, and over participants and items at once. Pure numpy."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
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

OVER_PARTICIPANTS, PEOPLE_DRAWN, ITEMS_DRAWN = 0, 1, 2


def over_participants(groups: Sequence[Clusters], settings: ScoreSettings) -> list[Interval]:
    """Percentile bootstrap over whole participants (Efron & Tibshirani 1993, ch. 13), per group of them.

    Drawing P participants with replacement is a multinomial draw over their distinct (n, hits), which needs
    one number per distinct pair and replicate instead of one per participant. Each group draws from a
    generator of its own, so groups may be drawn side by side (numpy lets go of the interpreter meanwhile).
    """
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        return list(threads.map(partial(_over_participants, settings=settings), groups))


def _over_participants(clusters: Clusters, settings: ScoreSettings) -> Interval:
    if clusters.count == 1:
        share = float(clusters.hits[0] / clusters.n[0])
        return Interval(share, share, "one participant: nothing to resample")
    rng = _generator(settings, OVER_PARTICIPANTS)
    shares = np.empty(settings.replicates)
    for part in _parts(settings.replicates, width=len(clusters.n)):
        weights = rng.multinomial(
            clusters.count, clusters.multiplicity / clusters.count, size=part.stop - part.start
        )
        shares[part] = (weights @ clusters.hits) / (weights @ clusters.n)
    return _percentiles(shares, settings.confidence)


def crossed(tables: Sequence[CellTable], settings: ScoreSettings) -> list[Interval]:
    """Pigeonhole bootstrap over participants and items at once (Owen 2007, Ann. Appl. Stat. 1:386).

    A cell's weight is the product of its participant's and its item's. Conservative: with no participant or
    item effects it is sqrt(3) times as wide as needed. Replicates that draw no answered cell are left out
    and counted in the note.

    The weights depend on the seed and on the number of participants (items) only, so tables with equally
    many share them, and a replicate of all of them is one matrix product. A table's interval is the same
    whichever others come with it.
    """
    shares: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [
        (np.empty(settings.replicates), np.empty(settings.replicates)) for _ in tables
    ]
    for people in {table.answers.shape[0] for table in tables}:
        places = [place for place, table in enumerate(tables) if table.answers.shape[0] == people]
        group = _Group([tables[place] for place in places])
        for part, sums in group.replicates(settings):
            for place, (n, right) in zip(places, sums, strict=True):
                shares[place][0][part], shares[place][1][part] = n, right
    return [
        _crossed_interval(table, n, right, settings) for table, (n, right) in zip(tables, shares, strict=True)
    ]


class _Group:
    """Tables of equally many participants, side by side as one matrix."""

    def __init__(self, tables: Sequence[CellTable]) -> None:
        self.people = tables[0].answers.shape[0]
        self.widths = [table.answers.shape[1] for table in tables]
        largest = max(int(table.answers.max()) for table in tables)
        # Sums of products of small integers are exact in either type, so BLAS cannot change a bit of them.
        self.type = np.float32 if self.people * largest < EXACT_IN_FLOAT32 else np.float64
        self.hits = np.hstack([table.hits for table in tables]).astype(self.type)
        # In a complete table every replicate has as many rows as the table.
        self.rows = [_equal_rows(table) for table in tables]
        incomplete = [table.answers for table, rows in zip(tables, self.rows, strict=True) if rows is None]
        self.answers = np.hstack(incomplete).astype(self.type) if incomplete else None

    def replicates(
        self, settings: ScoreSettings
    ) -> Iterator[tuple[slice, list[tuple[NDArray[np.float64] | float, NDArray[np.float64]]]]]:
        """Part by part of the replicates: for each table the rows drawn and those of them that are right."""
        person_rng = _generator(settings, PEOPLE_DRAWN, self.people)
        item_rngs = {width: _generator(settings, ITEMS_DRAWN, width) for width in sorted(set(self.widths))}
        for part in _parts(settings.replicates, width=max(self.people, *self.widths)):
            size = part.stop - part.start
            person_weights = _draw_weights(person_rng, self.people, size).astype(self.type)
            item_weights = {
                width: _draw_weights(rng, width, size).astype(float) for width, rng in item_rngs.items()
            }
            yield part, self._sums(person_weights, item_weights)

    def _sums(
        self, person_weights: FloatArray, item_weights: dict[int, NDArray[np.float64]]
    ) -> list[tuple[NDArray[np.float64] | float, NDArray[np.float64]]]:
        hits = person_weights @ self.hits
        answers = None if self.answers is None else person_weights @ self.answers
        sums: list[tuple[NDArray[np.float64] | float, NDArray[np.float64]]] = []
        hits_from = answers_from = 0
        for width, rows in zip(self.widths, self.rows, strict=True):
            weights = item_weights[width]
            right = np.einsum("ri,ri->r", hits[:, hits_from : hits_from + width], weights)
            hits_from += width
            n: NDArray[np.float64] | float
            if rows is None and answers is not None:
                n = np.einsum("ri,ri->r", answers[:, answers_from : answers_from + width], weights)
                answers_from += width
            else:
                n = float(rows or 0)
            sums.append((n, right))
        return sums


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
    return Interval(float(low), float(high), note)
