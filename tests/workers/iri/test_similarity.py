"""Measures against numpy and scipy on the same numbers."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from workers.iri.similarity import MEASURES, Similarity, ranks, similarities


def responses(seed: int, *, rectified: bool) -> Tensor:
    """(3, 200); rectified ones share many zeros, as responses after a ReLU do."""
    numbers = torch.randn(3, 200, generator=torch.Generator().manual_seed(seed))
    return numbers.relu() if rectified else numbers


@pytest.mark.parametrize("rectified", [False, True])
def test_the_measures_are_scipy_s(rectified: bool) -> None:
    one, other = responses(1, rectified=rectified), responses(2, rectified=rectified)
    for row, found in enumerate(similarities(one, other)):
        a, b = one[row].double().numpy(), other[row].double().numpy()
        assert found.relative_error == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b))
        assert found.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        assert found.pearson == pytest.approx(stats.pearsonr(a, b).statistic)
        assert found.spearman == pytest.approx(stats.spearmanr(a, b).statistic)
        assert found.snr_db == pytest.approx(10 * np.log10((b @ b) / ((a - b) @ (a - b))))


@pytest.mark.parametrize("rectified", [False, True])
def test_ranks_are_scipy_s(rectified: bool) -> None:
    numbers = responses(3, rectified=rectified)
    assert ranks(numbers).numpy() == pytest.approx(stats.rankdata(numbers.numpy(), axis=1))


def test_a_perfect_match() -> None:
    one = responses(1, rectified=True)
    (found, *_) = similarities(one, one)
    assert (found.relative_error, found.snr_db) == (0.0, math.inf)
    assert [found.cosine, found.pearson, found.spearman] == pytest.approx([1, 1, 1])
    assert found.to_json()["snr_db"] is None


def test_the_correlation_with_equal_numbers_is_not_defined() -> None:
    (found,) = similarities(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 3.0]]))
    assert math.isnan(found.pearson)
    assert math.isnan(found.spearman)
    assert found.cosine == pytest.approx(9 / math.sqrt(5 * 18))


def test_json_has_neither_nan_nor_infinity() -> None:
    assert Similarity(0.5, 1.0, math.nan, math.inf, -math.inf).to_json() == {
        "relative_error": 0.5, "cosine": 1.0, "pearson": None, "spearman": None, "snr_db": None
    }  # fmt: skip


def test_responses_that_are_not_finite_have_no_correlation_of_ranks() -> None:
    nothing = torch.full((1, 4), torch.nan)
    (found,) = similarities(nothing, nothing)
    assert all(math.isnan(getattr(found, name)) for name in MEASURES)
    (half,) = similarities(torch.tensor([[1.0, 2.0, torch.nan]]), torch.tensor([[1.0, 2.0, 3.0]]))
    assert math.isnan(half.spearman)
