"""A small seeded part of `make coverage`, and that its table says what it counts."""

import pytest

from tests.benchmarks.coverage import Case, coverage, row


@pytest.mark.parametrize("effects", ["none", "weak", "strong"])
@pytest.mark.parametrize(("participants", "items"), [(10, 30), (100, 10)])
def test_the_default_interval_covers_the_truth(participants: int, items: int, effects: str) -> None:
    """200 studies each: the Monte-Carlo error of a coverage of .95 is .015."""
    found = coverage(Case(participants, items, effects, 0.6), 200)
    assert 0.90 <= found["twoway"][0] <= 0.995


def test_everybody_may_answer_a_third_of_the_items() -> None:
    assert 0.90 <= coverage(Case(20, 30, "weak", 0.6, "a third"), 200)["twoway"][0] <= 0.995


def test_pooling_answers_undercovers_when_people_and_items_differ() -> None:
    assert coverage(Case(20, 10, "strong", 0.6), 100)["wilson"][0] < 0.85


def test_a_row_marks_what_lies_outside() -> None:
    found = {"twoway": (0.91, 0.2), "cluster": (0.95, 0.21), "wilson": (0.98, 0.1)}
    expected = "| 10 | 30 | complete | weak | 0.60 | **0.910** | 0.200 | 0.950 | 0.210 | **0.980** | 0.100 |"
    assert row(Case(10, 30, "weak", 0.6), found) == expected
