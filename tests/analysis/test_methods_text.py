"""What the methods paragraph says of comparisons."""

from typing import Any

import pytest

from survey_site.analysis.comparisons import SCOPES
from survey_site.analysis.methods_text import methods_paragraph

REPORT: dict[str, Any] = {
    "rows": {"scored": 8, "unanswered": 0},
    "exclusions": {"flow": {"assessed": 2, "kept": 2}, "rules": []},
    "mode": "real",
    "scores": [],
    "unfinished": {"sessions": 0},
    "settings": {"confidence": 0.95, "replicates": 10_000, "rng_seed": 1, "margin": 0.1},
    "scopes": SCOPES,
    "not_compared": {"n_unequal": 0, "n_unknown": 2},
    "mixed_model": {"undefined": "no"},
    "versions": {"code": "1", "numpy": "2"},
    "study_versions": [],
    "study": "faces",
}


def paragraph(*compared: tuple[float | None, bool]) -> str:
    """With pairs of these p values, whose permutation tests were exact or not."""
    comparisons = [{"p_value": p, "over_participants": {"test": {"exact": exact}}} for p, exact in compared]
    return methods_paragraph({**REPORT, "comparisons": comparisons})


@pytest.mark.parametrize(
    ("exact", "said"),
    [
        ([True, True], "(exact)"),
        ([False, False], "(10,000 random assignments)"),
        ([True, False, False], "(exact for 1 pair, 10,000 random assignments for 2)"),
    ],
)
def test_how_signs_were_assigned_is_said_of_each_kind(exact: list[bool], said: str) -> None:
    assert said in paragraph(*((0.5, one) for one in exact))


def test_the_scopes_and_the_grid_are_said() -> None:
    text = paragraph((0.5, True), (None, True))
    assert "2 pairs of conditions were compared within participants, over participants and items" in text
    assert "adjusted by Holm's method over the 1 that have a p value;" in text
    assert "they are over participants, for exactly these trials." in text
    assert "2 pairs of conditions whose numbers of options are not known for every answer were not" in text
