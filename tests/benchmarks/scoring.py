"""One million responses scored: python -m tests.benchmarks.scoring --json FILE.

2,000 participants, 500 items in 20 conditions, everybody answers every item; 10,000-fold bootstraps. The slow
ways to the same interval (over participants, one condition) are timed on fewer replicates and scaled, all in
one run: scipy.stats.bootstrap drawing participants and averaging their answers, the same on ready-made counts
per participant (the best that scipy can do), and pandas putting drawn groups together.

Where everybody gave equally many answers, ours is the exact bootstrap distribution; where a tenth of the
answers is missing it is drawn, and timed beside scipy on the same counts.
"""

import json
import os
import resource
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
from numpy.typing import NDArray
from scipy import stats

from survey_site.analysis import bootstrap
from survey_site.analysis.answers import AnswerTable
from survey_site.analysis.cells import Clusters
from survey_site.analysis.intervals import Interval
from survey_site.analysis.mixed_logit import fit_mixed_logit
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.scoring import score_table

PARTICIPANTS, ITEMS, CONDITIONS = 2000, 500, 20
REPLICATES = 10_000
SCIPY_REPLICATES, PANDAS_REPLICATES = 500, 20
SETTINGS = ScoreSettings(replicates=REPLICATES)


def responses(rng_seed: int = 0) -> dict[str, NDArray[Any]]:
    """Columns of integer codes; effects of .7 (people) and .5 (items) on the logit scale."""
    rng = np.random.default_rng(rng_seed)
    participant, item = np.indices((PARTICIPANTS, ITEMS)).reshape(2, -1)
    logit = 0.7 + 0.7 * rng.normal(size=PARTICIPANTS)[participant] + 0.5 * rng.normal(size=ITEMS)[item]
    return {
        "condition": item % CONDITIONS,
        "participant": participant,
        "item": item,
        "is_correct": rng.random(len(item)) < 1 / (1 + np.exp(-logit)),
        "n_options": np.full(len(item), 2),
    }


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds, and the result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def by_scipy_on_answers(answers: NDArray[np.bool_], replicates: int) -> Interval:
    """What a first call looks like: all answers drawn as if they were independent. Another interval."""
    result = stats.bootstrap(
        (answers.ravel().astype(float),),
        np.mean,
        n_resamples=replicates,
        method="percentile",
        batch=50,
        rng=1,
    )
    low, high = result.confidence_interval
    return Interval(float(low), float(high))


def by_scipy(answers: NDArray[np.bool_], replicates: int) -> Interval:
    """Participants drawn by scipy, whose statistic averages all their answers. `answers`: (people, items)."""

    def mean(people: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        return np.moveaxis(answers[people], axis, -1).mean(axis=(-2, -1))

    result = stats.bootstrap(
        (np.arange(len(answers)),), mean, n_resamples=replicates, method="percentile", batch=50, rng=1
    )
    low, high = result.confidence_interval
    return Interval(float(low), float(high))


def by_scipy_on_counts(answers: NDArray[np.bool_], replicates: int) -> Interval:
    def share(hits: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return hits.mean(axis=axis) / answers.shape[1]

    hits = answers.sum(axis=1).astype(float)
    result = stats.bootstrap(
        (hits,), share, n_resamples=replicates, method="percentile", batch=500, vectorized=True, rng=1
    )
    low, high = result.confidence_interval
    return Interval(float(low), float(high))


def by_pandas(answers: NDArray[np.bool_], replicates: int) -> Interval:
    people = np.repeat(np.arange(len(answers)), answers.shape[1])
    frame = pd.DataFrame({"participant": people, "is_correct": answers.ravel()})
    groups = dict(list(frame.groupby("participant")))
    rng = np.random.default_rng(1)
    shares = [
        pd.concat([groups[place] for place in rng.integers(0, len(groups), len(groups))])["is_correct"].mean()
        for _ in range(replicates)
    ]
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(low), float(high))


def mixed_model_answers() -> AnswerTable:
    """100,000 answers: 1,000 participants answer 100 items of 20 conditions."""
    rng = np.random.default_rng(0)
    participant, item = np.indices((1000, 100)).reshape(2, -1)
    logit = 0.5 + 0.7 * rng.normal(size=1000)[participant] + 0.5 * rng.normal(size=100)[item]
    return AnswerTable.from_columns(
        condition=item % CONDITIONS,
        participant=participant,
        item=item,
        is_correct=rng.random(len(item)) < 1 / (1 + np.exp(-logit)),
    )


def measure() -> dict[str, Any]:
    columns = responses()
    gathering, table = timed(lambda: AnswerTable.from_columns(**columns))
    cell_time, seen = timed(lambda: list(table.all_cells()))
    cells = [found for _, found, _ in seen]
    one_way, intervals = timed(
        lambda: bootstrap.over_participants([found.by_participant for found in cells], SETTINGS)
    )
    incomplete = gaps(table)
    drawn, drawn_intervals = timed(lambda: bootstrap.over_participants(incomplete, SETTINGS))
    crossed, _ = timed(lambda: bootstrap.crossed(cells, SETTINGS))
    cpu = time.process_time()
    everything, scores = timed(lambda: score_table(AnswerTable.from_columns(**columns), settings=SETTINGS))
    cpu = time.process_time() - cpu
    # ru_maxrss counts kilobytes on Linux; taken before the slow ways are tried.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mixed_model, _ = timed(lambda: fit_mixed_logit(mixed_model_answers()))
    answers = columns["is_correct"].reshape(PARTICIPANTS, ITEMS)[:, ::CONDITIONS]
    return {
        "responses": len(table),
        "conditions": len(scores),
        "replicates": REPLICATES,
        "seconds": {
            "columns": gathering,
            "cells": cell_time,
            "bootstrap_over_participants": one_way,
            "bootstrap_over_participants_with_gaps": drawn,
            "bootstrap_over_both": crossed,
            "all_scores_from_columns": everything,
            "all_scores_from_columns_cpu": cpu,
            "mixed_model_of_100000": mixed_model,
        },
        "peak_mb": peak,
        **slow_ways(answers, one_way / CONDITIONS, intervals[0]),
        "with_gaps": beside_scipy_with_gaps(incomplete[0], drawn / CONDITIONS, drawn_intervals[0]),
        "load_average": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "pandas": pd.__version__},
    }


def gaps(table: AnswerTable) -> list[Clusters]:
    """Participants of every condition with a tenth of all answers gone."""
    kept = np.random.default_rng(1).random(len(table)) < 0.9
    return [found.by_participant for _, found, _ in table.where(kept).all_cells()]


def beside_scipy_with_gaps(people: Clusters, ours: float, interval: Interval) -> dict[str, Any]:
    """A ratio of sums: rows and hits of every participant, drawn together."""
    n, hits = (np.repeat(side, people.multiplicity).astype(float) for side in (people.n, people.hits))

    def share(hits: NDArray[np.float64], n: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return hits.sum(axis=axis) / n.sum(axis=axis)

    seconds, result = timed(
        lambda: stats.bootstrap(
            (hits, n), share, n_resamples=REPLICATES, method="percentile", batch=500, paired=True, rng=1
        )
    )
    low, high = result.confidence_interval
    return {
        "scipy_seconds_per_condition": seconds,
        "times_slower": seconds / ours,
        "interval": [interval.low, interval.high],
        "scipys": [float(low), float(high)],
    }


def slow_ways(answers: NDArray[np.bool_], ours: float, interval: Interval) -> dict[str, Any]:
    """Seconds for one condition at full replicates, ratios to `ours`, and how far the interval's ends are."""
    found: dict[str, Any] = {}
    for name, way, replicates in (
        ("scipy", by_scipy, SCIPY_REPLICATES),
        ("scipy_on_answers_as_if_independent", by_scipy_on_answers, SCIPY_REPLICATES),
        ("scipy_on_counts", by_scipy_on_counts, REPLICATES),
        ("pandas", by_pandas, PANDAS_REPLICATES),
    ):
        seconds, theirs = timed(lambda way=way, replicates=replicates: way(answers, replicates))  # type: ignore[misc]
        found[name] = {
            "replicates_timed": replicates,
            "seconds_per_condition": seconds * REPLICATES / replicates,
            "times_slower": seconds * REPLICATES / replicates / ours,
            "interval": [theirs.low, theirs.high],
        }
    # Standard error of a 2.5 % quantile of 10,000 draws from a normal law, twice (two bootstraps).
    spread = (interval.high - interval.low) / (2 * 1.96)
    error = spread * (0.025 * 0.975 / REPLICATES) ** 0.5 / float(stats.norm.pdf(1.96)) * 2**0.5
    scipys = found["scipy_on_counts"]["interval"]
    apart = max(abs(scipys[0] - interval.low), abs(scipys[1] - interval.high))
    return {
        "slow_ways": found,
        "interval": [interval.low, interval.high],
        "apart_in_monte_carlo_errors": apart / error,
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to write the figures to")
    arguments = parser.parse_args()
    text = json.dumps(measure(), indent=2) + "\n"
    if arguments.json:
        arguments.json.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
