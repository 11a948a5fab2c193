"""How long a session will take, from what a study asks and how long people need for it. Pure.

The seconds are what people took in trials of these formats; a pilot with people says it better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Median seconds to one answer, by format.
ANSWER_SECONDS = {"two_afc": 3.0, "odd_one_out": 4.5, "classification": 4.0, "matching": 10.0}
FEEDBACK_SECONDS = 2.0
CONFIDENCE_SECONDS = 1.5
BREAK_SECONDS = 20.0
QUESTION_SECONDS = 8.0
READING_SECONDS = 75.0  # welcome, consent, instructions, debriefing


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What one session asks: main trials by format (a mean, so any number), and the rest by count."""

    main: Mapping[str, float]
    again: int = 0
    catch: int = 0
    practice: int = 0
    breaks: int = 0
    questions: int = 0
    before_ms: int = 0
    time_limit_ms: int | None = None
    with_confidence: bool = False


def expected_minutes(asked: Asked) -> float:
    """Minutes of a session from the click on start to its end.

    `before_ms` is what is shown before each choice can be made: fixation, a reference shown first, the mask.

    >>> round(expected_minutes(Asked(main={"two_afc": 20}, catch=2, before_ms=300)), 1)
    2.5
    """
    n_main = sum(asked.main.values())
    if not n_main:
        return READING_SECONDS / 60
    answer = sum(n * _answer_seconds(name, asked) for name, n in asked.main.items()) / n_main
    trial = answer + asked.before_ms / 1000 + (CONFIDENCE_SECONDS if asked.with_confidence else 0)
    seconds = (
        (n_main + asked.again + asked.catch) * trial
        + asked.practice * (trial + FEEDBACK_SECONDS)
        + asked.breaks * BREAK_SECONDS
        + asked.questions * QUESTION_SECONDS
        + READING_SECONDS
    )
    return seconds / 60


def _answer_seconds(format: str, asked: Asked) -> float:
    seconds = ANSWER_SECONDS[format]
    return min(seconds, asked.time_limit_ms / 1000) if asked.time_limit_ms else seconds
