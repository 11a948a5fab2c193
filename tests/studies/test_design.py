"""The design: from data and a seed the same always, and balanced."""

from collections import Counter

import pytest

from survey_site.studies.design import (
    ConditionPlan,
    DesignError,
    Item,
    PlannedPresentation,
    PlannedTrial,
    n_slots,
    plan_session,
    plan_trials,
)


def conditions(*sizes: int) -> list[ConditionPlan]:
    return [
        ConditionPlan(
            slug=f"c{number}",
            format="two_afc",
            items=tuple(
                Item(key=f"{i}.png", reference=f"r{number}.{i}", target=f"t{i}", start=f"s{i}", iri=f"id{i}")
                for i in range(size)
            ),
        )
        for number, size in enumerate(sizes)
    ]


def trials(n_main: int, n_catch: int = 0) -> tuple[PlannedTrial, ...]:
    return plan_trials(conditions(n_main), n_catch=n_catch, seed=5)


def session(
    plan: tuple[PlannedTrial, ...],
    *,
    slot: int = 0,
    shown: int = 0,
    break_every: int = 0,
    order_seed: int = 0,
) -> tuple[PlannedPresentation, ...]:
    return plan_session(
        plan, slot=slot, per_participant=shown, break_every=break_every, seed=5, order_seed=order_seed
    )


def test_a_plan_has_a_main_trial_for_each_item_and_then_the_catch_trials() -> None:
    plan = plan_trials(conditions(3, 2), n_catch=2, seed=1)
    assert [(trial.kind, trial.condition) for trial in plan] == [
        *[("main", "c0")] * 3,
        *[("main", "c1")] * 2,
        *[("catch", None)] * 2,
    ]
    main = plan[3]
    assert (main.references[0].image, main.references[0].answer, main.iri) == ("r1.0", 0, "id0")
    assert [option.image for option in main.options] == ["t0", "s0"]


def test_a_catch_trial_asks_about_the_target_itself_and_names_no_iri() -> None:
    for trial in trials(4, n_catch=6)[4:]:
        assert trial.references[0].image == trial.options[trial.references[0].answer].image
        assert trial.references[0].image != trial.options[1].image
        assert trial.iri is None


def test_no_catch_trial_comes_twice_before_all_came_once() -> None:
    shown = Counter(trial.references[0].image for trial in trials(4, n_catch=10)[4:])
    assert sorted(shown.values()) == [2, 2, 3, 3]


def test_the_plan_depends_on_neither_ids_nor_the_order_of_items() -> None:
    (one,) = conditions(6)
    other_ids = [
        Item(key=item.key, reference=item.reference, target=item.target, start=item.start, iri=f"x{number}")
        for number, item in enumerate(reversed(one.items))
    ]
    other = ConditionPlan(slug=one.slug, format=one.format, items=tuple(other_ids))

    def without_ids(plan: tuple[PlannedTrial, ...]) -> list[object]:
        return [(trial.kind, trial.references, trial.options) for trial in plan]

    plans = [plan_trials([given], n_catch=3, seed=1) for given in (one, other)]
    assert without_ids(plans[0]) == without_ids(plans[1])


def test_items_of_the_same_name_are_ordered_by_what_they_show() -> None:
    twins = [Item(key="0.png", reference=f"r{i}", target=f"t{i}", start=f"s{i}") for i in range(3)]
    plans = [
        plan_trials([ConditionPlan("c", "two_afc", tuple(items))], n_catch=0, seed=0)
        for items in (twins, twins[::-1])
    ]
    assert plans[0] == plans[1]


def test_the_same_seeds_give_the_same_session_and_others_another() -> None:
    plan = trials(8, n_catch=2)
    assert session(plan, order_seed=1) == session(plan, order_seed=1)
    assert session(plan, order_seed=1) != session(plan, order_seed=2)
    assert plan_trials(conditions(8), n_catch=4, seed=1) != plan_trials(conditions(8), n_catch=4, seed=2)


@pytest.mark.parametrize(
    ("n_main", "shown"), [(1, 1), (4, 0), (5, 0), (5, 2), (6, 4), (7, 3), (12, 5), (9, 20)]
)
def test_over_all_slots_each_trial_is_shown_equally_often_with_its_answer_on_each_side(
    n_main: int, shown: int
) -> None:
    plan = trials(n_main)
    counted = Counter(
        (one.trial, one.option_order.index(0))
        for slot in range(n_slots(n_main, shown))
        for one in session(plan, slot=slot, shown=shown, order_seed=slot)
    )
    assert len(counted) == 2 * n_main
    assert len(set(counted.values())) == 1


@pytest.mark.parametrize(
    ("n_main", "shown"), [(4, 0), (5, 0), (5, 2), (6, 4), (7, 3), (12, 5), (8, 3), (9, 6)]
)
def test_within_a_session_sides_are_balanced_and_nothing_is_shown_twice(n_main: int, shown: int) -> None:
    plan = trials(n_main)
    for slot in range(n_slots(n_main, shown)):
        seen = session(plan, slot=slot, shown=shown)
        assert len({one.trial for one in seen}) == len(seen) == (shown or n_main)
        sides = Counter(one.option_order.index(0) for one in seen)
        assert abs(sides[0] - sides[1]) <= 1


@pytest.mark.parametrize("n_catch", [1, 2, 3, 7])
def test_catch_trials_are_all_shown_and_never_first(n_catch: int) -> None:
    for n_main in (1, 2, 5, 20):
        plan = trials(n_main, n_catch=n_catch)
        for seed in range(20):
            seen = [plan[one.trial].kind for one in session(plan, order_seed=seed)]
            assert seen[0] == "main"
            assert Counter(seen) == {"main": n_main, "catch": n_catch}


def test_catch_trials_are_spread_over_the_session() -> None:
    plan = trials(20, n_catch=3)
    places = [place for place, one in enumerate(session(plan)) if plan[one.trial].kind == "catch"]
    assert places == [5, 11, 18]


def test_the_sides_of_catch_trials_change_from_slot_to_slot() -> None:
    plan = trials(3, n_catch=1)
    sides = [
        one.option_order.index(0)
        for slot in range(4)
        for one in session(plan, slot=slot)
        if plan[one.trial].kind == "catch"
    ]
    assert sorted(sides) == [0, 0, 1, 1]


def test_blocks_end_where_breaks_are_wanted() -> None:
    blocks = [one.block for one in session(trials(5), break_every=2)]
    assert blocks == [0, 0, 1, 1, 2]
    assert {one.block for one in session(trials(5), break_every=0)} == {0}


def test_nobody_sees_more_than_there_is() -> None:
    assert len(session(trials(4), shown=100)) == 4


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(DesignError, match="a study needs at least one condition with at least one finished"):
        plan_trials(conditions(0), n_catch=1, seed=0)
    with pytest.raises(DesignError, match=r"trials per participant is -1; 0 \(all\) or more is allowed"):
        session(trials(4), shown=-1)
