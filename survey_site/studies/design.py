"""The design: which trials, in what order, on which side. Pure: from data and a seed, the same always."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from survey_site.studies.formats import FORMATS, known_trials, main_trials, n_places
from survey_site.studies.planned import ConditionPlan, DesignError, PlannedPresentation, PlannedTrial

KINDS = ("main", "catch", "practice")


@dataclass(frozen=True)
class SessionPlan:
    """What a study asks of one session.

    trials_per_participant: main trials that one person sees, 0 for all. n_repeats: how many of them come
    again, at least `repeat_distance` presentations later. break_every: trials between breaks, 0 for none.
    practice_pass: right answers that a round of practice needs, 0 for none; practice_rounds: how often it
    may be tried then.
    """

    trials_per_participant: int = 0
    n_repeats: int = 0
    repeat_distance: int = 5
    break_every: int = 0
    practice_pass: int = 0
    practice_rounds: int = 1


def plan_trials(
    conditions: Sequence[ConditionPlan], *, n_catch: int, n_practice: int = 0, seed: int
) -> tuple[PlannedTrial, ...]:
    """Every trial of a study version: the main trials, then `n_catch` catch and `n_practice` practice trials.

    A catch or practice trial asks about a target itself: whoever looks at it knows the answer. The plan
    follows from keys and images alone, in whatever order the items come and whatever their ids are.
    """
    main = [trial for condition in conditions for trial in main_trials(condition, seed=seed)]
    if not main:
        raise DesignError("a study needs at least one condition with at least one finished IRI")
    known = _different(trial for condition in conditions for trial in known_trials(condition, seed=seed))
    random.Random(f"catch:{seed}").shuffle(known)  # noqa: S311 - a design, not a secret
    kinds = ["catch"] * n_catch + ["practice"] * n_practice
    # Nobody sees one twice before all were shown.
    asked = [replace(known[number % len(known)], kind=kind) for number, kind in enumerate(kinds)]
    return (*main, *asked)


def _different(trials: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    """Each question once, whatever condition it came from."""
    return sorted({replace(trial, condition=None) for trial in trials}, key=repr)


def main_places(trials: Sequence[PlannedTrial]) -> int:
    """Over how many places in turn the answers of the main trials go."""
    return math.lcm(*(n_places(trial.format, len(trial.options)) for trial in trials if trial.kind == "main"))


def n_slots(n_main: int, per_participant: int, places: int = 2) -> int:
    """How many sessions it takes until every trial was shown equally often with its answer at each place."""
    shown = _shown(n_main, per_participant)
    return places * math.lcm(n_main, shown) // shown


def _shown(n_main: int, per_participant: int) -> int:
    if per_participant < 0:
        raise DesignError(f"trials per participant is {per_participant}; 0 (all) or more is allowed")
    return min(per_participant or n_main, n_main)


def check_repeats(n_main: int, plan: SessionPlan) -> None:
    """Raises DesignError if so many repeats do not fit into a session at that distance."""
    shown = _shown(n_main, plan.trials_per_participant)
    if plan.n_repeats > max(0, shown - plan.repeat_distance + 1):
        raise DesignError(
            f"{plan.n_repeats} repeats at a distance of {plan.repeat_distance} do not fit into {shown} main "
            f"trials; at most {max(0, shown - plan.repeat_distance + 1)} do"
        )


def plan_session(
    trials: Sequence[PlannedTrial], plan: SessionPlan, *, slot: int, seed: int, order_seed: int
) -> tuple[PlannedPresentation, ...]:
    """One session's presentations in order.

    Slot s shows the s-th run of a fixed shuffle of the main trials, so that over `n_slots` slots each
    trial is shown equally often; the answer's place goes round within a session and, for each trial, from
    one round of the shuffle to the next. Repeats and catch trials come in between, catch trials never first;
    practice trials come before all, once for every round allowed. The order is shuffled by `order_seed`.
    """
    numbers = {kind: [n for n, trial in enumerate(trials) if trial.kind == kind] for kind in KINDS}
    sides = _Sides(trials, order_seed)
    main = [
        _Showing(number, sides.order(number, turn))
        for number, turn in _turns(numbers["main"], slot, plan.trials_per_participant, seed)
    ]
    sides.lot.shuffle(main)
    shown = _with_repeats(main, plan, sides)
    n_before, catch = len(shown), numbers["catch"]
    for count, number in enumerate(catch):
        place = round((count + 1) * n_before / (len(catch) + 1)) + count
        shown.insert(max(place, 1), _Showing(number, sides.order(number, slot + count)))
    practice = [
        [
            _Showing(number, sides.order(number, slot + round_ + count))
            for count, number in enumerate(numbers["practice"])
        ]
        for round_ in range(plan.practice_rounds if plan.practice_pass else 1)
        if numbers["practice"]
    ]
    return _placed([*practice, *_blocks(shown, plan.break_every)])


@dataclass(eq=False)
class _Showing:
    """A presentation before its place is known."""

    trial: int
    options: tuple[int, ...]
    repeat_of: _Showing | None = None


class _Sides:
    """Orders of options: the first answer takes the places in turn, the other options by lot."""

    def __init__(self, trials: Sequence[PlannedTrial], order_seed: int) -> None:
        self.trials = trials
        self.lot = random.Random(f"order:{order_seed}")  # noqa: S311 - a design, not a secret
        labels = sorted({option.label for trial in trials for option in trial.options})
        random.Random(f"labels:{order_seed}").shuffle(labels)  # noqa: S311 - a design, not a secret
        self.label_places = {label: place for place, label in enumerate(labels)}

    def order(self, number: int, turn: int) -> tuple[int, ...]:
        trial = self.trials[number]
        indices = range(len(trial.options))
        if FORMATS[trial.format].has_fixed_order:
            return tuple(sorted(indices, key=lambda index: self.label_places[trial.options[index].label]))
        answer = trial.references[0].answer
        others = [index for index in indices if index != answer]
        self.lot.shuffle(others)
        others.insert(turn % len(trial.options), answer)
        return tuple(others)

    def swapped(self, showing: _Showing) -> tuple[int, ...]:
        """Every option elsewhere: two change sides, more go round by one."""
        if FORMATS[self.trials[showing.trial].format].has_fixed_order:
            return showing.options
        return (*showing.options[1:], showing.options[0])


def shown_in_slots(n_main: int, per_participant: int, *, slots: int, seed: int) -> list[list[int]]:
    """Which of the main trials, by number from 0, each of the first slots shows."""
    shown, shuffled = _shown(n_main, per_participant), _shuffled(range(n_main), seed)
    return [
        [shuffled[place % n_main] for place in range(slot * shown, (slot + 1) * shown)]
        for slot in range(slots)
    ]


def _turns(main: Sequence[int], slot: int, per_participant: int, seed: int) -> list[tuple[int, int]]:
    """The slot's main trials and the turn that each of them takes."""
    shown = _shown(len(main), per_participant)
    shuffled = _shuffled(main, seed)
    places = [divmod(place, len(main)) for place in range(slot * shown, (slot + 1) * shown)]
    return [(shuffled[index], turn + index) for turn, index in places]


def _shuffled(main: Sequence[int], seed: int) -> list[int]:
    shuffled = list(main)
    random.Random(f"plan:{seed}").shuffle(shuffled)  # noqa: S311 - a design, not a secret
    return shuffled


def _with_repeats(main: list[_Showing], plan: SessionPlan, sides: _Sides) -> list[_Showing]:
    """Some of the main trials once more, by lot, each at least the distance after its first showing."""
    n_possible = max(0, len(main) - plan.repeat_distance + 1)
    chosen = sides.lot.sample(range(n_possible), min(plan.n_repeats, n_possible))
    repeats: dict[int, list[_Showing]] = {}
    for place in chosen:
        # Before the showing that stands there now; what is put in elsewhere only adds to the distance.
        before = sides.lot.randint(place + plan.repeat_distance, len(main))
        again = _Showing(main[place].trial, sides.swapped(main[place]), repeat_of=main[place])
        repeats.setdefault(before, []).append(again)
    return [
        showing
        for place, first in enumerate([*main, None])
        for showing in (*repeats.get(place, []), *([first] if first else []))
    ]


def _blocks(shown: list[_Showing], break_every: int) -> list[list[_Showing]]:
    size = break_every or len(shown)
    return [shown[first : first + size] for first in range(0, len(shown), size)]


def _placed(blocks: Sequence[Sequence[_Showing]]) -> tuple[PlannedPresentation, ...]:
    places = {showing: place for place, showing in enumerate(one for block in blocks for one in block)}
    return tuple(
        PlannedPresentation(
            trial=showing.trial,
            block=number,
            option_order=showing.options,
            repeat_of=places[showing.repeat_of] if showing.repeat_of else None,
        )
        for number, block in enumerate(blocks)
        for showing in block
    )
