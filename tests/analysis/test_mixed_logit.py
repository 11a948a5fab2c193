"""The mixed model against R's lme4 (reference/make_references.R), a plain Laplace fit, and known effects."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from survey_site.analysis.answers import AnswerTable, ScoredRow, ScoringError
from survey_site.analysis.mixed_logit import MixedLogit, _Problem, fit_mixed_logit

REFERENCE = Path(__file__).with_name("reference")


def reference_answers() -> AnswerTable:
    with open(REFERENCE / "mixed_logit_answers.csv") as file:
        rows = list(csv.DictReader(file))
    return AnswerTable.from_rows(
        ScoredRow(row["condition"], row["participant"], row["item"], row["is_correct"] == "1") for row in rows
    )


def simulated(people: int, items: int, *, seed: int, sds: tuple[float, float] = (0.8, 0.5)) -> AnswerTable:
    """Three conditions of logits 1, 0 and -0.5; every participant answers every item, items nested."""
    rng = np.random.default_rng(seed)
    condition = np.arange(items) % 3
    logit = (
        np.array([1.0, 0.0, -0.5])[condition]
        + sds[0] * rng.normal(size=(people, 1))
        + sds[1] * rng.normal(size=items)
    )
    person, item = np.indices((people, items)).reshape(2, -1)
    return AnswerTable.from_columns(
        condition=condition[item],
        participant=person,
        item=item,
        is_correct=(rng.random((people, items)) < 1 / (1 + np.exp(-logit))).ravel(),
    )


@pytest.fixture(scope="module")
def fit() -> MixedLogit:
    return fit_mixed_logit(reference_answers())


def test_it_equals_lme4(fit: MixedLogit) -> None:
    expected = json.loads((REFERENCE / "mixed_logit.json").read_text())
    for effect in fit.effects:
        assert effect.logit == pytest.approx(expected["logits"][effect.condition], abs=1e-6)
        # lme4 takes its curvature from differences of function values: five digits
        assert effect.error == pytest.approx(expected["errors"][effect.condition], abs=5e-6)
    assert fit.participant_sd == pytest.approx(expected["participant_sd"], abs=1e-6)
    assert fit.item_sd == pytest.approx(expected["item_sd"], abs=1e-6)
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-6)
    assert fit.note == ""


def test_the_likelihood_equals_a_dense_textbook_laplace() -> None:
    """One dense matrix, plain Newton steps, no elimination."""
    table = reference_answers()
    problem = _Problem(table)
    parameters = np.array([0.6, 0.1, -0.2, np.log(0.9), np.log(0.3)])
    n_u = problem.n_people + problem.n_items
    z = np.zeros((len(problem.n), n_u))
    z[np.arange(len(z)), problem.person] = 0.9
    z[np.arange(len(z)), problem.n_people + problem.item] = 0.3
    u = np.zeros(n_u)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(parameters[problem.condition] + z @ u)))
        curvature = z.T @ (z * (problem.n * p * (1 - p))[:, None]) + np.eye(n_u)
        u += np.linalg.solve(curvature, z.T @ (problem.hits - problem.n * p) - u)
    likelihood = (problem.hits * np.log(p) + (problem.n - problem.hits) * np.log(1 - p)).sum()
    expected = likelihood - u @ u / 2 - np.linalg.slogdet(curvature)[1] / 2
    assert -problem.objective(parameters)[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("people_and_items", [(12, 30), (30, 12)])
def test_the_gradient_is_that_of_the_likelihood(people_and_items: tuple[int, int]) -> None:
    problem = _Problem(simulated(*people_and_items, seed=1))
    x = np.array([0.5, 0.2, -0.1, np.log(0.7), np.log(0.5)])
    gradient = problem.objective(x)[1]
    for place in range(5):
        h = np.eye(5)[place] * 1e-5
        slope = (problem.objective(x + h)[0] - problem.objective(x - h)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-4)


def test_known_effects_are_recovered() -> None:
    """Bias within three Monte-Carlo errors over 20 studies of 60 x 45; Wald's intervals cover."""
    fits = [fit_mixed_logit(simulated(60, 45, seed=seed)) for seed in range(20)]
    logits = np.array([[effect.logit for effect in fit.effects] for fit in fits])
    error = logits.std(axis=0, ddof=1) / 20**0.5
    assert np.all(np.abs(logits.mean(axis=0) - [1, 0, -0.5]) < 3 * error)
    assert np.mean([fit.participant_sd for fit in fits]) == pytest.approx(0.8, abs=0.06)
    assert np.mean([fit.item_sd for fit in fits]) == pytest.approx(0.5, abs=0.06)
    covered = [
        effect.low <= true <= effect.high
        for fit in fits
        for effect, true in zip(fit.effects, (1, 0, -0.5), strict=True)
    ]
    assert np.mean(covered) >= 0.85


def test_a_difference_between_conditions(fit: MixedLogit) -> None:
    difference = fit.difference("a", "c")
    assert difference["estimate"] == fit.effects[0].logit - fit.effects[2].logit
    assert difference["low"] < difference["estimate"] < difference["high"]
    assert (difference["p_value"] < 0.05) == (difference["low"] > 0 or difference["high"] < 0)
    with pytest.raises(ScoringError, match="condition 'x' is not in the model; it has a, b, c"):
        fit.difference("a", "x")


def test_people_and_items_that_do_not_differ_are_said_to_be_so() -> None:
    fit = fit_mixed_logit(simulated(30, 30, seed=3, sds=(0, 0)))
    assert max(fit.participant_sd, fit.item_sd) < 0.2
    assert np.isfinite([effect.error for effect in fit.effects]).all()


def test_rows_order_and_names_do_not_matter(fit: MixedLogit) -> None:
    table = reference_answers()
    order = np.random.default_rng(0).permutation(len(table))
    renamed = AnswerTable.from_columns(
        condition=[table.conditions[code] for code in table.condition[order]],
        participant=[f"x{997 * code % 1009}" for code in table.participant[order]],
        item=[table.items[code] for code in table.item[order]],
        is_correct=table.is_correct[order],
    )
    again = fit_mixed_logit(renamed)
    assert [e.logit for e in again.effects] == pytest.approx([e.logit for e in fit.effects], abs=1e-6)
    assert again.participant_sd == pytest.approx(fit.participant_sd, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ScoredRow("c", "p", i, i == "1") for i in "12"], "1 participants and 2 items; the model needs 2"),
        ([ScoredRow("c", p, i, True) for p in "pq" for i in "12"], "all right or all wrong in c; its logit"),
        ([], "0 participants and 0 items"),
    ],
)
def test_what_has_no_fit_is_refused(rows: list[ScoredRow], message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        fit_mixed_logit(AnswerTable.from_rows(rows))
