"""Every interval against a reference, every estimator against a known answer."""

import doctest
import random
from collections.abc import Callable

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from survey_site.analysis import scoring
from survey_site.analysis.scoring import ConditionScore, ScoredRow, ScoreSettings, ScoringError

FEW = ScoreSettings(replicates=500)


def study(
    participants: int = 12,
    items: int = 9,
    *,
    share: float = 0.7,
    person_sd: float = 0.0,
    item_sd: float = 0.0,
    seed: int = 0,
    rows_per_trial: int = 1,
    condition: str = "c",
) -> list[ScoredRow]:
    """Rows of a complete study; effects are on the logit scale, `share` is where both are zero."""
    rng = np.random.default_rng(seed)
    logit = (
        np.log(share / (1 - share))
        + person_sd * rng.normal(size=(participants, 1))
        + item_sd * rng.normal(size=(1, items))
    )
    answers = rng.random((rows_per_trial, participants, items)) < 1 / (1 + np.exp(-logit))
    return [
        ScoredRow(condition, f"p{p}", f"i{i}", bool(answers[r, p, i]), 2)
        for p in range(participants)
        for i in range(items)
        for r in range(rows_per_trial)
    ]


def score(rows: list[ScoredRow], settings: ScoreSettings = FEW) -> ConditionScore:
    [result] = scoring.score_conditions(rows, settings=settings)
    return result


def bounds(result: ConditionScore, name: str) -> tuple[float, float]:
    return result.intervals[name].low, result.intervals[name].high


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(scoring).failed == 0


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (1, 3), (81, 263), (799, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_wilson_equals_statsmodels(hits: int, n: int, confidence: float) -> None:
    ours = scoring.wilson(hits, n, confidence)
    assert (ours.low, ours.high) == pytest.approx(
        proportion_confint(hits, n, 1 - confidence, method="wilson"), abs=1e-6
    )


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 20), (20, 20), (1, 3), (81, 263), (799, 1000)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_clopper_pearson_equals_statsmodels(hits: int, n: int, confidence: float) -> None:
    ours = scoring.clopper_pearson(hits, n, confidence)
    assert (ours.low, ours.high) == pytest.approx(
        proportion_confint(hits, n, 1 - confidence, method="beta"), abs=1e-6
    )


def test_wilson_of_newcombes_example() -> None:
    """Newcombe 1998, Stat. Med. 17:857, table I: 81 of 263."""
    interval = scoring.wilson(81, 263)
    assert (round(interval.low, 4), round(interval.high, 4)) == (0.2553, 0.3662)


@pytest.mark.parametrize("rows_per_trial", [1, 3])
def test_cluster_sums_equal_a_naive_loop(rows_per_trial: int) -> None:
    rows = study(person_sd=1, item_sd=1, rows_per_trial=rows_per_trial)
    mean = sum(row.is_correct for row in rows) / len(rows)

    def variance(key: Callable[[ScoredRow], object]) -> float:
        sums: dict[object, float] = {}
        for row in rows:
            sums[key(row)] = sums.get(key(row), 0.0) + row.is_correct - mean
        return len(sums) / (len(sums) - 1) * sum(s**2 for s in sums.values()) / len(rows) ** 2

    total = (
        variance(lambda row: row.participant)
        + variance(lambda row: row.item)
        - variance(lambda row: (row.participant, row.item))
    )
    half = stats.t.ppf(0.975, 9 - 1) * total**0.5
    assert bounds(score(rows), "cluster") == pytest.approx((mean - half, mean + half), abs=1e-9)


@pytest.mark.parametrize("rows_per_trial", [1, 3])
def test_cluster_sums_equal_statsmodels_on_an_incomplete_layout(rows_per_trial: int) -> None:
    rows = study(15, 10, person_sd=1, item_sd=1, rows_per_trial=rows_per_trial)
    rows = random.Random(3).sample(rows, len(rows) * 2 // 3)
    people = np.unique([row.participant for row in rows], return_inverse=True)[1]
    items = np.unique([row.item for row in rows], return_inverse=True)[1]
    answers = np.array([row.is_correct for row in rows], dtype=float)
    fit = sm.OLS(answers, np.ones(len(rows))).fit(
        cov_type="cluster", cov_kwds={"groups": np.column_stack([people, items])}
    )
    # statsmodels multiplies by (N - 1) / (N - k), which is 1 for a mean.
    half = stats.t.ppf(0.975, 10 - 1) * float(fit.bse[0])
    assert bounds(score(rows), "cluster") == pytest.approx(
        (fit.params[0] - half, fit.params[0] + half), abs=1e-6
    )


def test_cluster_sums_are_clipped_to_the_unit_interval() -> None:
    rows = study(4, 3, share=0.9, seed=2)
    low, high = bounds(score(rows), "cluster")
    assert 0 < low < score(rows).estimate < 1
    assert high == 1


def test_one_participant_falls_back_to_variance_over_items() -> None:
    answers = [True, True, False, True, False, True]
    result = score([ScoredRow("c", "p", str(i), answer) for i, answer in enumerate(answers)])
    half = stats.t.ppf(0.975, 5) * np.std(answers, ddof=1) / 6**0.5
    assert bounds(result, "twoway") == pytest.approx((4 / 6 - half, min(1, 4 / 6 + half)))
    assert result.intervals["twoway"].note == "one participant: variance over items only"
    assert result.intervals["bootstrap"].note == "one participant: nothing to resample"


def test_one_item_falls_back_to_variance_over_participants() -> None:
    answers = [True, True, False, True, False, True]
    result = score([ScoredRow("c", str(p), "i", answer) for p, answer in enumerate(answers)])
    half = stats.t.ppf(0.975, 5) * np.std(answers, ddof=1) / 6**0.5
    assert bounds(result, "twoway") == pytest.approx((4 / 6 - half, min(1, 4 / 6 + half)))
    assert result.intervals["twoway"].note == "one item: variance over participants only"


def test_a_sum_that_is_not_positive_falls_back_to_its_largest_part() -> None:
    checkerboard = [ScoredRow("c", str(p), str(i), (p + i) % 2 == 0) for p in range(4) for i in range(4)]
    result = score(checkerboard)
    half = stats.t.ppf(0.975, 3) * (16 / 15 * 0.25 / 16) ** 0.5
    assert bounds(result, "cluster") == pytest.approx((0.5 - half, 0.5 + half))
    assert "not positive" in result.intervals["cluster"].note


@pytest.mark.parametrize(("answer", "estimate"), [(True, 1.0), (False, 0.0)])
def test_all_right_scores_one_and_all_wrong_scores_zero(answer: bool, estimate: float) -> None:
    result = score([ScoredRow("c", str(p), str(i), answer, 2) for p in range(5) for i in range(8)])
    assert (result.estimate, result.participant_mean, result.item_mean) == (estimate,) * 3
    assert bounds(result, "bootstrap") == (estimate, estimate)
    # five identical participants are no more evidence than five answers
    assert bounds(result, "twoway") == pytest.approx(
        proportion_confint(5 * estimate, 5, method="beta"), abs=1e-6
    )
    assert result.intervals["twoway"].note == "no spread between clusters: Clopper-Pearson on 5"
    assert result.d_prime == pytest.approx((2 * estimate - 1) * 2**0.5 * stats.norm.ppf(40.5 / 41))


def test_one_row_has_a_defined_answer() -> None:
    result = score([ScoredRow("c", "p", "i", True)])
    assert (result.estimate, result.n, result.n_participants, result.n_items) == (1, 1, 1, 1)
    assert bounds(result, "twoway") == bounds(result, "clopper_pearson") == pytest.approx((0.025, 1))
    assert bounds(result, "crossed") == bounds(result, "bootstrap") == (1, 1)


def test_no_rows_give_no_scores() -> None:
    assert scoring.score_conditions([]) == []


def test_counts_and_means_by_hand() -> None:
    rows = [ScoredRow("c", "a", "1", True), ScoredRow("c", "a", "2", True), ScoredRow("c", "a", "3", False)]
    result = score([*rows, ScoredRow("c", "b", "1", False)])
    assert (result.hits, result.n, result.n_participants, result.n_items) == (2, 4, 2, 3)
    assert result.participant_mean == pytest.approx((2 / 3 + 0) / 2)
    assert result.item_mean == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_bootstrap_over_participants_equals_scipys() -> None:
    rows = study(25, 8, person_sd=1)
    by_person: dict[str, list[bool]] = {}
    for row in rows:
        by_person.setdefault(row.participant, []).append(row.is_correct)
    hits = np.array([sum(answers) for answers in by_person.values()])
    theirs = stats.bootstrap(
        (hits, np.full(25, 8)),
        lambda hits, n, axis: hits.sum(axis=axis) / n.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(7),
    ).confidence_interval
    assert bounds(score(rows, ScoreSettings()), "bootstrap") == pytest.approx(tuple(theirs), abs=0.006)


def test_bootstrap_over_participants_equals_a_naive_loop_on_unequal_participants() -> None:
    rows = random.Random(1).sample(study(20, 8, person_sd=1.5), 90)
    people = sorted({row.participant for row in rows})
    own = {person: [row.is_correct for row in rows if row.participant == person] for person in people}
    rng = random.Random(5)
    shares = []
    for _ in range(4000):
        answers = [answer for person in rng.choices(people, k=len(people)) for answer in own[person]]
        shares.append(sum(answers) / len(answers))
    naive = tuple(np.quantile(shares, [0.025, 0.975]))
    assert bounds(score(rows, ScoreSettings()), "bootstrap") == pytest.approx(naive, abs=0.012)


def test_crossed_bootstrap_equals_a_naive_loop() -> None:
    rows = study(10, 6, person_sd=1, item_sd=1, rows_per_trial=3)
    cells: dict[tuple[str, str], list[bool]] = {}
    for row in rows:
        cells.setdefault((row.participant, row.item), []).append(row.is_correct)
    rng = random.Random(5)
    shares = []
    for _ in range(3000):
        people = [f"p{rng.randrange(10)}" for _ in range(10)]
        items = [f"i{rng.randrange(6)}" for _ in range(6)]
        answers = [answer for p in people for i in items for answer in cells[p, i]]
        shares.append(sum(answers) / len(answers))
    naive = tuple(np.quantile(shares, [0.025, 0.975]))
    assert bounds(score(rows, ScoreSettings()), "crossed") == pytest.approx(naive, abs=0.015)


def test_crossed_bootstrap_counts_replicates_that_draw_no_answered_cell() -> None:
    result = score([ScoredRow("c", "a", "1", True), ScoredRow("c", "b", "2", False)])
    missed = int(result.intervals["crossed"].note.split()[0])
    # both participants the same, both items the other one's: 2 of 16 draws
    assert missed / FEW.replicates == pytest.approx(1 / 8, abs=0.05)
    assert bounds(result, "crossed") == (0, 1)


@pytest.mark.parametrize("seed", range(12))
def test_order_and_participants_names_do_not_change_a_bit(seed: int) -> None:
    rng = random.Random(seed)
    rows = study(
        rng.randint(1, 9),
        rng.randint(1, 7),
        person_sd=1,
        item_sd=1,
        seed=seed,
        rows_per_trial=rng.choice([1, 1, 3]),
    )
    rows = rng.sample(rows, rng.randint(1, len(rows)))
    people = sorted({row.participant for row in rows})
    names = dict(zip(people, rng.sample(range(10_000), len(people)), strict=True))
    renamed = [row._replace(participant=f"anon-{names[row.participant]}") for row in rows]
    rng.shuffle(renamed)
    assert score(renamed) == score(rows)


def test_a_conditions_figures_do_not_depend_on_its_neighbours() -> None:
    rows, others = study(seed=1), study(seed=2, condition="a")
    assert score(rows) in scoring.score_conditions([*others, *rows], settings=FEW)


def test_conditions_come_in_the_order_of_their_names() -> None:
    rows = [ScoredRow(name, "p", "i", True) for name in ("b", "c", "a")]
    assert [s.condition for s in scoring.score_conditions(rows, settings=FEW)] == ["a", "b", "c"]


def test_a_score_carries_its_settings() -> None:
    settings = ScoreSettings(confidence=0.9, replicates=200, rng_seed=5)
    assert score(study(), settings).settings == settings


def test_another_confidence_moves_every_interval() -> None:
    rows = study(30, 20, person_sd=1, item_sd=1)
    wide, narrow = score(rows), score(rows, ScoreSettings(confidence=0.5, replicates=500))
    for name, interval in narrow.intervals.items():
        assert wide.intervals[name].low < interval.low < interval.high < wide.intervals[name].high


def test_a_share_of_eight_tenths_is_recovered() -> None:
    result = score(study(60, 30, share=0.8, person_sd=0.2, item_sd=0.2), ScoreSettings())
    assert result.estimate == pytest.approx(0.8, abs=0.03)
    for interval in result.intervals.values():
        assert interval.low < 0.8 < interval.high


@pytest.mark.parametrize(("person_sd", "item_sd"), [(0.0, 0.0), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0)])
def test_twoway_covers_the_truth(person_sd: float, item_sd: float) -> None:
    """160 simulated studies of 20 x 15; the Monte-Carlo error of a coverage of .95 is .017."""
    effects = np.random.default_rng(0).normal(size=200_000) * np.hypot(person_sd, item_sd)
    truth = float(np.mean(1 / (1 + np.exp(-(np.log(0.6 / 0.4) + effects)))))
    covered = 0
    for seed in range(160):
        rows = study(20, 15, share=0.6, person_sd=person_sd, item_sd=item_sd, seed=seed)
        low, high = bounds(score(rows, ScoreSettings(replicates=100)), "twoway")
        covered += low <= truth <= high
    assert 0.90 <= covered / 160 <= 0.995


def test_pooled_intervals_undercover_when_people_and_items_differ() -> None:
    """Why the two-way interval is the default."""
    rows = study(20, 15, person_sd=1, item_sd=1)
    result = score(rows)
    widths = {name: interval.high - interval.low for name, interval in result.intervals.items()}
    assert widths["wilson"] < widths["bootstrap"] < widths["twoway"]


def test_matching_trials_are_resampled_whole() -> None:
    """Three rows that always agree are one answer: the interval is that of a third as many rows."""
    single = study(15, 10, person_sd=1)
    tripled = [row for row in single for _ in range(3)]
    for name in ("bootstrap", "twoway", "crossed"):
        assert bounds(score(tripled), name) == pytest.approx(bounds(score(single), name), abs=1e-12)


def test_chance_is_the_mean_of_one_over_the_number_of_options() -> None:
    rows = [ScoredRow("c", "p", str(i), True, options) for i, options in enumerate([2, 2, 3, 4])]
    assert score(rows).chance == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert score(rows).d_prime is None
    assert score([*rows, ScoredRow("c", "p", "x", True)]).chance is None


@pytest.mark.parametrize(
    ("trial_format", "options", "note"),
    [
        ("two_afc", 2, ""),
        (None, 2, ""),
        ("matching", 2, "d' is defined here for two_afc alone; trials were of format matching"),
        ("classification", 2, "d' is defined here for two_afc alone; trials were of format classification"),
        ("two_afc", 3, "d' is defined for two options; trials had 3"),
        (None, None, "d' is defined for two options; how many there were is not known for every answer"),
    ],
)
def test_d_prime_is_that_of_2afc(trial_format: str | None, options: int | None, note: str) -> None:
    rows = [ScoredRow("c", "p", str(item), item > 1, options, trial_format) for item in range(6)]
    for result in (
        score(rows),
        *scoring.score_table(
            scoring.AnswerTable.from_columns(
                condition=["c"] * 6,
                participant=["p"] * 6,
                item=range(6),
                is_correct=[row.is_correct for row in rows],
                n_options=[options] * 6,
                trial_format=[trial_format] * 6,
            ),
            settings=FEW,
        ),
    ):
        assert (result.d_prime is None, result.d_prime_note) == (bool(note), note)


def test_d_prime_known_answers() -> None:
    assert scoring.d_prime(50, 100) == 0
    assert scoring.d_prime(760, 1000) == pytest.approx(0.9989, abs=1e-4)
    assert scoring.d_prime(0, 10) == pytest.approx(-scoring.d_prime(10, 10))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ScoredRow("c", "p", "i", 2), "is_correct is 2; it must be True, False, 1 or 0"),  # type: ignore[arg-type]
        (ScoredRow("c", "p", "i", True, 1), "n_options is 1; it must be (a whole number, )?2 or more"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(row: ScoredRow, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        scoring.score_conditions([row])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence": 95}, "confidence is 95; it must lie between 0 and 1"),
        ({"replicates": 10}, "replicates is 10; it must be 100 or more"),
        ({"rng_seed": -1}, "rng_seed is -1; it must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        ScoreSettings(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("hits", "n"), [(1, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(hits: int, n: int) -> None:
    with pytest.raises(ScoringError, match="hits between 0 and n"):
        scoring.wilson(hits, n)
