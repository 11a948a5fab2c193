"""Trial formats: how a condition's items become trials. Pure. A new format is one function here."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from survey_site.studies.planned import (
    ConditionPlan,
    DesignError,
    Item,
    PlannedOption,
    PlannedReference,
    PlannedTrial,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Format:
    """`make` turns a condition into its main trials; `n_options` are the numbers of options it allows.

    `has_fixed_order`: the options keep one order all through a session, as a list of labels should.
    """

    make: Callable[[ConditionPlan, int], list[PlannedTrial]]
    n_options: range
    has_fixed_order: bool = False


def main_trials(condition: ConditionPlan, *, seed: int) -> list[PlannedTrial]:
    """The condition's trials, from keys and images alone, in whatever order the items come."""
    ordered = replace(condition, items=tuple(sorted(condition.items, key=_content)))
    return _format_of(condition).make(ordered, seed)


def known_trials(condition: ConditionPlan, *, seed: int) -> list[PlannedTrial]:
    """The same trials about the targets themselves: whoever looks at them knows the answer."""
    items = [replace(item, reference=item.target, iri=None) for item in condition.items]
    return main_trials(replace(condition, items=tuple(items)), seed=seed)


def fault_of(condition: ConditionPlan) -> str | None:
    """Why the condition cannot be planned, or None."""
    try:
        _format_of(condition).make(condition, 0)
    except DesignError as error:
        return str(error)
    return None


def n_places(format_name: str, n_options: int) -> int:
    """Over how many places the right answer is balanced."""
    return 1 if FORMATS[format_name].has_fixed_order else n_options


def left_over(condition: ConditionPlan) -> int:
    """Items that make no trial: those that do not fill a last group of a matching condition."""
    return len(condition.items) % condition.n_options if condition.format == "matching" else 0


def _format_of(condition: ConditionPlan) -> Format:
    known = FORMATS.get(condition.format)
    if known is None:
        raise DesignError(f"format is {condition.format!r}; allowed: {', '.join(FORMATS)}")
    if fault := fault_of_options(condition.format, condition.n_options):
        raise DesignError(fault)
    return known


def fault_of_options(format: str, n_options: int | None) -> str | None:
    """Why the format cannot offer so many options, or None; a format that is not known has no fault here."""
    known = FORMATS.get(format)
    if known is None or n_options is None or n_options in known.n_options:
        return None
    allowed = known.n_options
    numbers = str(allowed[0]) if len(allowed) == 1 else f"{allowed[0]} to {allowed[-1]}"
    return f"{format} with {n_options} options; allowed: {numbers}"


def _content(item: Item) -> tuple[str, str, str, str]:
    return item.key, item.target, item.reference, item.start


def _trial(
    condition: ConditionPlan, references: Sequence[PlannedReference], options: Sequence[PlannedOption]
) -> PlannedTrial:
    return PlannedTrial(condition.format, "main", condition.slug, tuple(references), tuple(options))


def _two_afc(condition: ConditionPlan, seed: int) -> list[PlannedTrial]:
    """The reference above, its target and a foil below."""
    return [
        _trial(
            condition,
            [PlannedReference(item.reference, answer=0, iri=item.iri)],
            [PlannedOption(item.target), PlannedOption(foil)],
        )
        for item, foil in zip(condition.items, _foils(condition, seed), strict=True)
    ]


def _odd_one_out(condition: ConditionPlan, seed: int) -> list[PlannedTrial]:
    """The reference, its target and a foil as options; the foil is odd to whoever sees as the network."""
    return [
        _trial(
            condition,
            [PlannedReference(None, answer=2, iri=item.iri)],
            [PlannedOption(item.reference), PlannedOption(item.target), PlannedOption(foil)],
        )
        for item, foil in zip(condition.items, _foils(condition, seed), strict=True)
    ]


def _matching(condition: ConditionPlan, seed: int) -> list[PlannedTrial]:
    """Groups of n items: n references, n targets, one each. Items that fill no group make no trial."""
    size = condition.n_options
    shuffled = _shuffled(condition.items, f"groups:{seed}")
    groups = [shuffled[first : first + size] for first in range(0, len(shuffled) - size + 1, size)]
    if condition.items and not groups:
        raise DesignError(f"matching of {size} needs at least {size} images, not {len(condition.items)}")
    for group in groups:
        if len({item.target for item in group}) < size:
            raise DesignError("matching needs different targets, but two of them are the same picture")
    return [
        _trial(
            condition,
            [
                PlannedReference(item.reference, answer=place, iri=item.iri)
                for place, item in enumerate(group)
            ],
            [PlannedOption(item.target) for item in group],
        )
        for group in groups
    ]


def _classification(condition: ConditionPlan, seed: int) -> list[PlannedTrial]:
    """The reference above, labels (with icons, if there are any) below; the target's label is right."""
    labels = sorted(set(condition.labels) | {item.label for item in condition.items} - {""})
    if nameless := [item.key for item in condition.items if not item.label]:
        raise DesignError(f"classification needs a label for every image; without one: {', '.join(nameless)}")
    if condition.n_options > len(labels):
        raise DesignError(f"classification with {condition.n_options} options, but {len(labels)} labels")
    return [
        _labelled(condition, item, _offered(item.label, labels, condition, seed)) for item in condition.items
    ]


def _offered(answer: str, labels: Sequence[str], condition: ConditionPlan, seed: int) -> list[str]:
    """The answer and, by lot, as many others as the condition offers, by name."""
    others = _shuffled([label for label in labels if label != answer], f"labels:{seed}:{answer}")
    return sorted([answer, *others[: condition.n_options - 1]])


def _labelled(condition: ConditionPlan, item: Item, offered: Sequence[str]) -> PlannedTrial:
    return _trial(
        condition,
        [PlannedReference(item.reference, answer=offered.index(item.label), iri=item.iri)],
        [PlannedOption(condition.icons.get(label), label) for label in offered],
    )


def _foils(condition: ConditionPlan, seed: int) -> list[str]:
    """A foil for every item: its start image, or another item's target, each target as often as it occurs."""
    if condition.foil_rule == "start":
        if same := [item.key for item in condition.items if item.start == item.target]:
            raise DesignError(f"no foil, since the start image is the target itself: {', '.join(same)}")
        return [item.start for item in condition.items]
    if condition.foil_rule != "natural":
        raise DesignError(f"foil rule is {condition.foil_rule!r}; allowed: start, natural")
    around = _shuffled(condition.items, f"foils:{seed}")
    targets = [item.target for item in around]
    if len(set(targets)) < 2:
        raise DesignError("a natural image as foil needs at least two different targets")
    foils = {item: _next_other(targets, place) for place, item in enumerate(around)}
    return [foils[item] for item in condition.items]


def _next_other(targets: Sequence[str], place: int) -> str:
    """The next target around the ring that is another picture."""
    ring = [*targets[place + 1 :], *targets[:place]]
    return next(target for target in ring if target != targets[place])


def _shuffled(items: Sequence[T], seed: str) -> list[T]:
    """In an order that hangs on the seed alone, so that conditions over the same items are made alike."""
    return random.Random(seed).sample(list(items), len(items))  # noqa: S311 - a design, not a secret


FORMATS: dict[str, Format] = {
    "two_afc": Format(_two_afc, range(2, 3)),
    "matching": Format(_matching, range(2, 7)),
    "classification": Format(_classification, range(2, 17), has_fixed_order=True),
    "odd_one_out": Format(_odd_one_out, range(3, 4)),
}
