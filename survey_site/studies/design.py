"""The design: which trials, in what order, on which side. Pure: from data and a seed, the same always."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass


class DesignError(ValueError):
    """A plan that cannot be made; the message names what was asked for and what is allowed."""


@dataclass(frozen=True)
class Item:
    """One question's images by sha256: what is shown as reference, the target and the start image.

    `key` identifies the item within its condition and `iri` the IRI's id, if one is shown.
    """

    key: str
    reference: str
    target: str
    start: str
    iri: str | None = None


@dataclass(frozen=True)
class ConditionPlan:
    """A condition and its items."""

    slug: str
    format: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class PlannedOption:
    image: str | None
    label: str = ""


@dataclass(frozen=True)
class PlannedReference:
    """`answer` is the index of the option that answers it."""

    image: str | None
    answer: int


@dataclass(frozen=True)
class PlannedTrial:
    format: str
    kind: str
    condition: str | None
    references: tuple[PlannedReference, ...]
    options: tuple[PlannedOption, ...]
    iri: str | None = None


@dataclass(frozen=True)
class PlannedPresentation:
    """`trial` is the trial's number in the plan, `option_order` option indices in the order shown."""

    trial: int
    block: int
    option_order: tuple[int, ...]


def plan_trials(conditions: Sequence[ConditionPlan], *, n_catch: int, seed: int) -> tuple[PlannedTrial, ...]:
    """Every trial of a study version: one main trial per item, then `n_catch` catch trials.

    A catch trial asks about a target itself: whoever looks at it finds its twin among the options. The plan
    follows from keys and images alone, in whatever order the items come and whatever their ids are.
    """
    items = [item for condition in conditions for item in condition.items]
    if not items:
        raise DesignError("a study needs at least one condition with at least one finished IRI")
    main = [
        _two_afc(item, kind="main", condition=condition.slug, reference=item.reference)
        for condition in conditions
        for item in sorted(condition.items, key=_content)
    ]
    rng = random.Random(f"catch:{seed}")  # noqa: S311 - a design, not a secret
    distinct = sorted({(item.target, item.start): item for item in items}.items())
    rng.shuffle(distinct)  # nobody sees one twice before all were shown
    chosen = [distinct[number % len(distinct)][1] for number in range(n_catch)]
    catch = [_two_afc(item, kind="catch", condition=None, reference=item.target) for item in chosen]
    return (*main, *catch)


def _content(item: Item) -> tuple[str, str, str, str]:
    return item.key, item.target, item.reference, item.start


def _two_afc(item: Item, *, kind: str, condition: str | None, reference: str) -> PlannedTrial:
    return PlannedTrial(
        format="two_afc",
        kind=kind,
        condition=condition,
        references=(PlannedReference(image=reference, answer=0),),
        options=(PlannedOption(image=item.target), PlannedOption(image=item.start)),
        iri=item.iri if kind == "main" else None,
    )


def n_slots(n_main: int, per_participant: int) -> int:
    """How many sessions it takes until every trial was shown equally often with its answer on each side."""
    shown = _shown(n_main, per_participant)
    return 2 * math.lcm(n_main, shown) // shown


def _shown(n_main: int, per_participant: int) -> int:
    if per_participant < 0:
        raise DesignError(f"trials per participant is {per_participant}; 0 (all) or more is allowed")
    return min(per_participant or n_main, n_main)


def plan_session(
    trials: Sequence[PlannedTrial],
    *,
    slot: int,
    per_participant: int,
    break_every: int,
    seed: int,
    order_seed: int,
) -> tuple[PlannedPresentation, ...]:
    """One session's presentations in order.

    Slot s shows the s-th run of a fixed shuffle of the main trials, so that over `n_slots` slots each
    trial is shown equally often; the answer's side alternates within a session and, for each trial, from
    one round of the shuffle to the next. Catch trials are spread over the session, never first. The order
    is shuffled by `order_seed`.
    """
    main = [number for number, trial in enumerate(trials) if trial.kind == "main"]
    catch = [number for number, trial in enumerate(trials) if trial.kind == "catch"]
    shown = _shown(len(main), per_participant)
    random.Random(f"plan:{seed}").shuffle(main)  # noqa: S311 - a design, not a secret
    order = random.Random(f"order:{order_seed}")  # noqa: S311 - a design, not a secret
    chosen = []
    for place in range(slot * shown, (slot + 1) * shown):
        turn, index = divmod(place, len(main))
        number = main[index]
        chosen.append((number, _option_order(trials[number], turn + index, order)))
    order.shuffle(chosen)
    for count, number in enumerate(catch):
        place = round((count + 1) * len(chosen) / (len(catch) + 1)) + count
        chosen.insert(max(place, 1), (number, _option_order(trials[number], slot + count, order)))
    return tuple(
        PlannedPresentation(
            trial=number, block=position // break_every if break_every else 0, option_order=options
        )
        for position, (number, options) in enumerate(chosen)
    )


def _option_order(trial: PlannedTrial, turn: int, order: random.Random) -> tuple[int, ...]:
    """Option indices as shown: the first reference's answer takes the places in turn, the others by lot."""
    answer = trial.references[0].answer
    others = [index for index in range(len(trial.options)) if index != answer]
    order.shuffle(others)
    others.insert(turn % len(trial.options), answer)
    return tuple(others)
