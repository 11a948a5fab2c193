"""Expected minutes add up from what is asked."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest

from survey_site.studies import differences, durations, version_changes
from survey_site.studies.durations import ANSWER_SECONDS, READING_SECONDS, Asked, expected_minutes
from survey_site.studies.formats import FORMATS

TWENTY = Asked(main={"two_afc": 20})


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 20 * 3),
        ({"again": 2, "catch": 3}, 25 * 3),
        ({"before_ms": 500}, 20 * 3.5),
        ({"with_confidence": True}, 20 * 4.5),
        ({"practice": 4}, 20 * 3 + 4 * 5),
        ({"breaks": 2, "questions": 3}, 20 * 3 + 40 + 24),
        ({"time_limit_ms": 1000}, 20 * 1),
        ({"time_limit_ms": 90_000}, 20 * 3),
        ({"main": {"two_afc": 10, "matching": 10}}, 10 * 3 + 10 * 10),
        ({"main": {"two_afc": 7.5}}, 7.5 * 3),
    ],
)
def test_minutes_add_up(changes: dict[str, object], seconds: float) -> None:
    found = expected_minutes(replace(TWENTY, **changes))  # type: ignore[arg-type]
    assert found * 60 == pytest.approx(seconds + READING_SECONDS)


def test_a_study_without_trials_is_only_read() -> None:
    assert expected_minutes(Asked(main={}, catch=3)) * 60 == READING_SECONDS


def test_every_format_has_its_seconds() -> None:
    assert set(ANSWER_SECONDS) == set(FORMATS)


@pytest.mark.parametrize("module", [durations, differences, version_changes])
def test_the_examples(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
