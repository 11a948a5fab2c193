"""Which trials to show as examples: those whose targets were chosen most and least often."""

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 3
#: A trial that fewer people answered says little by its share.
ANSWERS_WANTED = 3


def example_trials(by_item: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """`best` and `worst` trials, at most SHOWN each and none in both, from a report's `by_item`.

    Trials with ANSWERS_WANTED answers come before the others. Among equal shares more answers come first.
    """
    enough = [item for item in by_item if item["n"] >= ANSWERS_WANTED] or list(by_item)
    ranked = sorted(enough, key=lambda item: (-item["estimate"], -item["n"], item["condition"], item["name"]))
    half = min(SHOWN, (len(ranked) + 1) // 2)
    worst = ranked[half:][-SHOWN:][::-1]
    return {"best": [_told(item) for item in ranked[:half]], "worst": [_told(item) for item in worst]}


def _told(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "trial": item["name"],
        "condition": item["condition"],
        "score": item["estimate"],
        "n": item["n"],
        "hits": item["hits"],
    }
