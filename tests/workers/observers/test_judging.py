"""Nearest, tied, odd: what becomes of distances."""

import math
from itertools import combinations

import pytest

from workers.observers.judging import TIE_TOLERANCE, judge, judge_odd_one


def test_the_nearest_option_is_chosen_and_has_the_credit() -> None:
    judged = judge([0.5, 0.2, 0.9])
    assert (judged.choice, [judged.credit(answer) for answer in range(3)]) == (1, [0, 1, 0])


def test_a_tie_is_no_choice_and_shares_the_credit() -> None:
    judged = judge([0.2, 0.2])
    assert (judged.choice, judged.nearest, judged.credit(0), judged.credit(1)) == (None, (0, 1), 0.5, 0.5)
    three = judge([0.2, 0.7, 0.2])
    assert [three.credit(answer) for answer in range(3)] == [0.5, 0, 0.5]


def test_rounding_is_a_tie_and_more_than_rounding_is_not() -> None:
    assert judge([1.0, 1.0 + 0.5 * TIE_TOLERANCE]).choice is None
    assert judge([1.0, 1.0 + 3 * TIE_TOLERANCE]).choice == 0
    assert judge([1e-9, 2e-9]).choice == 0  # small images differences are differences
    assert judge([0.0, 0.0]).nearest == (0, 1)


@pytest.mark.parametrize("undefined", [math.nan, math.inf])
def test_what_is_not_a_number_is_no_judgement(undefined: float) -> None:
    judged = judge([0.1, undefined])
    assert (judged.choice, judged.nearest, judged.credit(0)) == (None, (), None)


def test_one_option_is_nothing_to_choose_from() -> None:
    with pytest.raises(ValueError, match="1 distances; a judgement needs two options or more"):
        judge([0.1])


@pytest.mark.parametrize("odd", [0, 1, 2, 3])
def test_the_odd_one_out_lies_away_from_the_rest(odd: int) -> None:
    between = {pair: 1.0 if odd in pair else 0.1 for pair in combinations(range(4), 2)}
    assert judge_odd_one(between, 4).choice == odd
    with pytest.raises(ValueError, match="2 options; an odd one out needs three or more"):
        judge_odd_one({(0, 1): 0.1}, 2)
