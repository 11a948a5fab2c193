"""What differs between two states of a study, as sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 60


@dataclass(frozen=True)
class Difference:
    """`path` leads to the value, by names; `before` or `after` is None where there was or is nothing.

    >>> str(Difference(("study", "catch trials"), 2, 5))
    'study, catch trials: 2 → 5'
    """

    path: tuple[str, ...]
    before: Any
    after: Any

    def __str__(self) -> str:
        where = ", ".join(self.path)
        if isinstance(self.after, Mapping):
            return f"{where}: added"
        if isinstance(self.before, Mapping):
            return f"{where}: removed"
        if max(len(shown(self.before)), len(shown(self.after))) > LONGEST:
            return f"{where}: changed"
        return f"{where}: {shown(self.before)} → {shown(self.after)}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What was added, removed or changed, in the order of names; lists and texts count as one value.

    >>> [str(one) for one in differences({"a": 1, "b": {"c": 2}}, {"a": 3, "b": {"c": 2}, "d": {"e": 1}})]
    ['a: 1 → 3', 'd: added']
    """
    return list(_walk((), before, after))


def _walk(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Difference]:
    if before == after:
        return
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield Difference(path, before, after)
        return
    for name in [*before, *(name for name in after if name not in before)]:
        yield from _walk((*path, str(name)), before.get(name), after.get(name))


def shown(value: Any) -> str:
    """A value as people read it."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
