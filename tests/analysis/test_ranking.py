"""Bradley-Terry against R's example, statsmodels, and known strengths."""

import numpy as np
import pytest
import statsmodels.api as sm

from survey_site.analysis.answers import AnswerTable, ScoredRow, ScoringError
from survey_site.analysis.ranking import bradley_terry, rank_networks

TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
#: Agresti 1990, table 10.10 (1987 season), the `baseball` data of R's BradleyTerry2: row beat column.
BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
)
#: As BradleyTerry2's documentation prints them, Baltimore at 0, without an order effect.
PRINTED = [1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0]


def glm(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strengths and errors by statsmodels, the last contestant at 0."""
    pairs = [(i, j) for i in range(len(wins)) for j in range(i)]
    design = np.zeros((len(pairs), len(wins)))
    for row, (i, j) in enumerate(pairs):
        design[row, i], design[row, j] = 1, -1
    counts = np.array([[wins[i, j], wins[j, i]] for i, j in pairs])
    fit = sm.GLM(counts, design[:, :-1], sm.families.Binomial()).fit(tol=1e-12)
    return np.append(fit.params, 0), np.append(fit.bse, 0)


def test_the_baseball_season() -> None:
    strength, covariance = bradley_terry(BASEBALL)
    assert (strength - strength[-1]).round(4).tolist() == PRINTED
    expected, errors = glm(BASEBALL)
    assert strength - strength[-1] == pytest.approx(expected, abs=1e-7)
    contrast = np.diag(covariance) + covariance[-1, -1] - 2 * covariance[:, -1]
    assert np.sqrt(contrast) == pytest.approx(errors, abs=1e-6)
    assert strength.sum() == pytest.approx(0, abs=1e-9)


def answers(shares: list[float], participants: int, items: int = 12, seed: int = 0) -> AnswerTable:
    rng = np.random.default_rng(seed)
    return AnswerTable.from_rows(
        ScoredRow(f"c{k}", f"p{p}", f"{k}-{i}", bool(rng.random() < share), 2)
        for p in range(participants)
        for k, share in enumerate(shares)
        for i in range(items)
    )


NETWORKS = {"c0": "vgg", "c1": "resnet", "c2": "dense", "c3": "dense"}


def test_networks_are_ranked_by_participants_games() -> None:
    ranking = rank_networks(answers([0.6, 0.8, 0.7, 0.7], 60), NETWORKS)
    assert [(s.name, s.rank) for s in ranking] == [("resnet", 1), ("dense", 2), ("vgg", 3)]
    assert sum(s.wins for s in ranking) == sum(s.losses for s in ranking) == 60 * 3
    for s in ranking:
        assert s.low < s.strength < s.high


def test_errors_are_clustered_by_participant_as_in_statsmodels() -> None:
    """Each game a row, the networks' differences a design, participants the clusters."""
    table = answers([0.6, 0.8, 0.7], 40)
    ranking = {s.name: s for s in rank_networks(table, {f"c{k}": f"n{k}" for k in range(3)})}
    share = np.zeros((3, 40))
    for c, p, right in zip(table.condition, table.participant, table.is_correct, strict=True):
        share[c, p] += right
    rows, won, who = [], [], []
    for p in range(40):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            rows.append(np.eye(3)[i] - np.eye(3)[j])
            won.append((np.sign(share[i, p] - share[j, p]) + 1) / 2)
            who.append(p)
    fit = sm.GLM(np.array(won), np.array(rows)[:, :2], sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(who), "use_correction": False}, tol=1e-12
    )
    centred = np.array([[2, -1], [-1, 2], [-1, -1]]) / 3  # from "the last is 0" to "the sum is 0"
    strength = centred @ fit.params
    errors = np.sqrt(np.diag(centred @ fit.cov_params() @ centred.T))
    for k in range(3):
        assert ranking[f"n{k}"].strength == pytest.approx(strength[k], abs=1e-6)
        assert ranking[f"n{k}"].error == pytest.approx(errors[k], abs=1e-6)


def test_known_strengths_are_recovered() -> None:
    true = np.array([0.8, 0.1, -0.3, -0.6])
    rng = np.random.default_rng(0)
    chance = 1 / (1 + np.exp(true[None, :] - true[:, None]))
    upper = np.triu(rng.binomial(20_000, chance), 1)
    wins = upper + np.tril((20_000 - upper).T, -1)
    assert bradley_terry(wins)[0] == pytest.approx(true, abs=0.03)


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        ([[0, 3], [0, 0]], "strengths are infinite"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 0]], "strengths are infinite"),
        ([[0, -1], [2, 0]], r"wins hold -1\.0"),
        ([[0]], "it must be \\(k, k\\) with k from 2"),
    ],
)
def test_games_without_finite_strengths_are_refused(wins: list, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        bradley_terry(np.array(wins))


def test_one_network_is_no_ranking() -> None:
    with pytest.raises(ScoringError, match="1 networks have answers; a ranking needs 2 or more"):
        rank_networks(answers([0.6], 3), NETWORKS)
