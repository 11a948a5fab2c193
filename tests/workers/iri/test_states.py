"""A search's state is nobody's but its owner's, and is gone on from only with the works that it is of."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.workers.iri.tiny import SIZE, built, conv_net, photographs
from workers.iri.images import to_png
from workers.iri.inversion import Found, InversionStopped, StateRefused, invert_each
from workers.iri.recipe import Optimizer, preset
from workers.iri.search import Work

pytestmark = pytest.mark.torch
N = 5


def works(targets: Tensor | None = None, seed: int = 0, **changes: Any) -> list[Work]:
    given = {"image_size": SIZE, "steps": 30, "finish_below": None, **changes}
    recipe = preset("reg_free", **given)
    shown = photographs(N) if targets is None else targets
    return [Work(target, seed + place, recipe) for place, target in enumerate(shown)]


def found_by(given: Sequence[Work], **arguments: Any) -> dict[int, bytes]:
    images: dict[int, bytes] = {}

    def keep(found: Found) -> None:
        images[found.place] = to_png(found.image)

    invert_each(built(conv_net()), "pool", given, on_result=keep, batch_size=3, **arguments)
    return images


def stopped_after(steps: int, given: Sequence[Work]) -> dict[str, Any]:
    states: list[dict[str, Any]] = []
    asked = iter(range(steps))
    with pytest.raises(InversionStopped):
        found_by(given, on_checkpoint=states.append, should_stop=lambda: next(asked, None) is None)
    return states[-1]


@pytest.mark.parametrize("optimizer", [Optimizer("adam", 0.07), Optimizer("lbfgs")])
def test_one_state_can_be_gone_on_from_twice(optimizer: Optimizer) -> None:
    given = works(optimizer=optimizer)
    whole, state = found_by(given), stopped_after(11, given)
    for _ in range(2):
        assert found_by(given, resume_from=state) == {place: whole[place] for place in range(N)}


def test_a_state_stays_as_it_was_while_its_search_goes_on() -> None:
    states: list[dict[str, Any]] = []
    copies: list[dict[str, Any]] = []

    def keep(state: dict[str, Any]) -> None:
        states.append(state)
        copies.append(copy.deepcopy(state))

    whole = found_by(works(), on_checkpoint=keep, checkpoint_seconds=0.0)
    for name in ("best", "trace", "parametrization", "rule"):
        now, then = states[4]["lanes"][0][name], copies[4]["lanes"][0][name]
        pairs = zip(now.values(), then.values(), strict=True) if isinstance(now, dict) else [(now, then)]
        assert all(torch.equal(*pair) for pair in pairs), name
    assert found_by(works(), resume_from=states[4]) == whole


@pytest.mark.parametrize(
    "given",
    [
        lambda: works(photographs(N).flip(0)),
        lambda: works(seed=1),
        lambda: works(steps=40),
    ],
)
def test_the_state_of_other_works_is_refused(given: Callable[[], list[Work]]) -> None:
    state = stopped_after(11, works())
    with pytest.raises(StateRefused, match="the first 3 works are not those of the state; allowed: the same"):
        found_by(given(), resume_from=state)


def test_fewer_works_than_the_state_had_drawn_are_refused() -> None:
    with pytest.raises(StateRefused, match="there are 2 works; allowed: the 3 of the state"):
        found_by(works(photographs(2)), resume_from=stopped_after(11, works()))


def _without_lanes(state: dict[str, Any]) -> None:
    state["lanes"] = []


def _narrow(state: dict[str, Any]) -> None:
    state["lanes"][0]["best"] = state["lanes"][0]["best"][..., 1:]


def _without_targets(state: dict[str, Any]) -> None:
    del state["lanes"][0]["targets"]


def _without_moments(state: dict[str, Any]) -> None:
    del state["lanes"][0]["rule"]["square"]


def _fewer_seeds(state: dict[str, Any]) -> None:
    state["lanes"][0]["seeds"].pop()


def _drawn_spelled(state: dict[str, Any]) -> None:
    state["drawn"] = "three"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_lanes, r"lanes hold the images \[\]; allowed: \[0, 1, 2\]"),
        (_narrow, r"the state's best has shape \(3, 3, 16, 15\); allowed: \(3, 3, 16, 16\)"),
        (_without_targets, "targets"),
        (_without_moments, "the state's rule has other parts; allowed: mean, square"),
        (_fewer_seeds, "the state's seeds is no list of 3"),
        (_drawn_spelled, "the state's drawn is 'three'; allowed: whole numbers from 0"),
    ],
)
def test_a_damaged_state_is_refused(damage: Callable[[dict[str, Any]], None], message: str) -> None:
    state = stopped_after(11, works())
    damage(state)
    with pytest.raises(StateRefused, match=message):
        found_by(works(), resume_from=state)
