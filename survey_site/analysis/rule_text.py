"""Exclusion rules as people read them."""

from collections.abc import Mapping
from typing import Any

#: By rule: a sentence's end with the settings in it.
TITLES = {
    "catch_rate": "fewer than {minimum:.0%} of the catch trials right",
    "too_fast": "more than {share:.0%} of the answers before {minimum_ms:g} ms",
    "straight_lining": "the same place {longest} times in a row",
    "side_bias": "one side in more than {maximum:.0%} of {at_least} or more answers",
    "incomplete": "fewer than {minimum:.0%} of the main trials answered",
    "unfinished": "did not finish",
    "focus_loss": "the page lost focus more than {maximum:g} times",
    "researcher": "left out by the researcher, each with a reason",
}


def rule_title(rule: Mapping[str, Any]) -> str:
    """A rule as `Rule.to_dict` gives it, in words.

    >>> rule_title({"rule": "catch_rate", "version": 1, "minimum": 0.75})
    'fewer than 75% of the catch trials right'
    """
    return TITLES[rule["rule"]].format(**rule)
