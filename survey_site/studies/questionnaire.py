"""Fields of a questionnaire: what can be asked, and which answers they take. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_TEXT = {"text": 300, "long_text": 4000}
WIDEST_SCALE = 11


class AnswerError(ValueError):
    """An answer that a field does not take; the message names the field, the answer and what is allowed."""


@dataclass(frozen=True)
class Field:
    """`choices` are (value, label) pairs; a number or scale goes from `minimum` to `maximum`."""

    name: str
    kind: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    is_required: bool = False


def parse_choices(text: str) -> tuple[tuple[str, str], ...]:
    """One choice a line: “value = label”, or a label alone, which then is the value."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [line.partition("=") for line in lines]
    return tuple((value.strip(), label.strip() or value.strip()) for value, _, label in parts)


def fault_of(field: Field) -> str | None:
    """Why the field cannot be asked, or None."""
    if field.kind in ("choice", "choices"):
        values = [value for value, _ in field.choices]
        if len(values) < 2 or len(set(values)) < len(values):
            return "a choice needs two or more different values"
    low, high = field.minimum, field.maximum
    if low is not None and high is not None and low >= high:
        return f"the smallest number is {low}, the largest {high}; it must be larger"
    if field.kind == "scale" and (low is None or high is None or high - low >= WIDEST_SCALE):
        return f"a scale needs a smallest and a largest number, with at most {WIDEST_SCALE} steps"
    return None


def checked_answers(fields: Sequence[Field], answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers given, by name, without the empty ones. Raises AnswerError for any that a field refuses."""
    names = [field.name for field in fields]
    if unknown := sorted(set(answers) - set(names)):
        raise AnswerError(f"there is no question {unknown[0]!r}; there are: {', '.join(names) or 'none'}")
    given = {field.name: _checked(field, answers.get(field.name)) for field in fields}
    return {name: answer for name, answer in given.items() if answer is not None}


def _checked(field: Field, answer: Any) -> Any:
    if answer is None or answer in ("", []):
        if field.is_required:
            raise AnswerError(f"{field.name} needs an answer")
        return None
    return {
        "text": _text,
        "long_text": _text,
        "number": _number,
        "scale": _whole,
        "choice": _choice,
        "choices": _choices,
    }[field.kind](field, answer)


def _text(field: Field, answer: Any) -> str:
    longest = LONGEST_TEXT[field.kind]
    if not isinstance(answer, str) or len(answer) > longest:
        raise AnswerError(f"{field.name} must be text of at most {longest} characters")
    return answer


def _number(field: Field, answer: Any) -> float | int:
    low, high = field.minimum, field.maximum
    is_number = isinstance(answer, int | float) and not isinstance(answer, bool)
    if not is_number or (low is not None and answer < low) or (high is not None and answer > high):
        allowed = f"{'any' if low is None else low} to {'any' if high is None else high}"
        raise AnswerError(f"{field.name} is {answer!r}; allowed: a number, {allowed}")
    return answer


def _whole(field: Field, answer: Any) -> int:
    number = _number(field, answer)
    if number != int(number):
        raise AnswerError(f"{field.name} is {answer!r}; allowed: whole numbers")
    return int(number)


def _choice(field: Field, answer: Any) -> str:
    values = [value for value, _ in field.choices]
    if answer not in values:
        raise AnswerError(f"{field.name} is {answer!r}; allowed: {', '.join(values)}")
    return str(answer)


def _choices(field: Field, answer: Any) -> list[str]:
    if not isinstance(answer, list):
        raise AnswerError(f"{field.name} must be a list of choices")
    chosen = [_choice(field, one) for one in answer]
    if len(set(chosen)) < len(chosen):
        raise AnswerError(f"{field.name} holds a choice twice")
    return chosen


def as_field(frozen: Mapping[str, Any]) -> Field:
    """From a study version's frozen texts."""
    choices = tuple((str(value), str(label)) for value, label in frozen["choices"])
    return Field(**{**frozen, "choices": choices})
