"""What a reader must know about a report as a whole, in the same words wherever the answers come from."""

from collections.abc import Iterable, Mapping, Sequence


def of_conditions(texts: Mapping[str, Sequence[str]]) -> list[str]:
    """Sentences from what is said of each condition, by its name; what is said of all is said once."""
    found: dict[str, list[str]] = {}
    for condition, said in texts.items():
        for text in said:
            found.setdefault(text, []).append(condition)
    return [
        f"{text[0].upper()}{text[1:]}."
        if len(conditions) == len(texts)
        else f"{', '.join(conditions)}: {text}."
        for text, conditions in found.items()
    ]


def mixed_modes(modes: Iterable[str]) -> list[str]:
    """Of the scored answers: `real`, `pilot`, empty where not said."""
    found = sorted({mode or "(empty)" for mode in modes})
    return [f"The scores mix rows of mode {' and '.join(found)}."] if len(found) > 1 else []


def unnamed_presentations(n: int) -> list[str]:
    """n: rows that name no presentation."""
    return [f"{n} rows have no presentation_id: duplicates among them are not noticed."] if n else []


def unmarked_repeats(n: int) -> list[str]:
    """n: answers of somebody who had answered the same reference before."""
    if not n:
        return []
    said = "answer is a second one" if n == 1 else "answers are second ones"
    return [
        f"{n:,} {said} of a participant to a reference of a trial, and not marked as a repeat. Scores count "
        "all answers; agreement and noise ceilings the first in time."
    ]


def not_compared(n_unequal: int, n_unknown: int) -> list[str]:
    """Pairs of conditions whose trials had different numbers of options, or numbers that are not known."""
    return [
        f"{_pairs(n)} whose numbers of options {reason} {'was' if n == 1 else 'were'} not compared."
        for n, reason in (
            (n_unequal, "differ, and with them chance,"),
            (n_unknown, "are not known for every answer"),
        )
        if n
    ]


def _pairs(n: int) -> str:
    return "1 pair of conditions" if n == 1 else f"{n:,} pairs of conditions"
