"""The design: from data and a seed the same always, and balanced."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from survey_site.studies.design import (
    SessionPlan,
    check_repeats,
    main_places,
    n_slots,
    plan_session,
    plan_trials,
    shown_in_slots,
)
from survey_site.studies.formats import fault_of, left_over
from survey_site.studies.planned import (
    ConditionPlan,
    DesignError,
    Item,
    PlannedPresentation,
    PlannedReference,
    PlannedTrial,
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
    plan: tuple[PlannedTrial, ...], *, slot: int = 0, shown: int = 0, order_seed: int = 0, **settings: int
) -> tuple[PlannedPresentation, ...]:
    wanted = SessionPlan(trials_per_participant=shown, **settings)
    return plan_session(plan, wanted, slot=slot, seed=5, order_seed=order_seed)


def test_a_plan_has_a_main_trial_for_each_item_and_then_the_catch_trials() -> None:
    plan = plan_trials(conditions(3, 2), n_catch=2, seed=1)
    assert [(trial.kind, trial.condition) for trial in plan] == [
        *[("main", "c0")] * 3,
        *[("main", "c1")] * 2,
        *[("catch", None)] * 2,
    ]
    main = plan[3]
    assert main.references == (PlannedReference("r1.0", answer=0, iri="id0"),)
    assert [option.image for option in main.options] == ["t0", "s0"]


def test_a_catch_trial_asks_about_the_target_itself_and_names_no_iri() -> None:
    for trial in trials(4, n_catch=6)[4:]:
        assert trial.references[0].image == trial.options[trial.references[0].answer].image
        assert trial.references[0].image != trial.options[1].image
        assert trial.references[0].iri is None


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
        return [
            (trial.kind, [(one.image, one.answer) for one in trial.references], trial.options)
            for trial in plan
        ]

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
    assert places == [5, 11, 17]


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


def items(n: int, **changes: Any) -> tuple[Item, ...]:
    return tuple(
        Item(key=f"{i}.png", reference=f"r{i}", target=f"t{i}", start=f"s{i}", iri=f"id{i}", **changes)
        for i in range(n)
    )


def planned(format: str, n: int, *, seed: int = 1, **settings: Any) -> tuple[PlannedTrial, ...]:
    given = ConditionPlan("c", format, settings.pop("items", items(n)), **settings)
    return plan_trials([given], n_catch=1, n_practice=1, seed=seed)


def test_in_matching_every_iri_is_asked_about_once_among_its_own_target_and_others() -> None:
    *main, catch, practice = planned("matching", 7, n_options=3)
    assert len(main) == 2
    asked = [reference.iri for trial in main for reference in trial.references]
    assert len(set(asked)) == len(asked) == 6
    for trial in main:
        assert len({option.image for option in trial.options}) == 3
        for reference in trial.references:
            assert reference.image is not None
            assert trial.options[reference.answer].image == reference.image.replace("r", "t")
    for known in (catch, practice):
        assert [known.options[one.answer].image for one in known.references] == [
            one.image for one in known.references
        ]
    assert left_over(ConditionPlan("c", "matching", items(7), n_options=3)) == 1


def test_conditions_over_the_same_targets_are_grouped_alike() -> None:
    plans = [ConditionPlan(slug, "matching", items(9), n_options=3) for slug in ("a", "b")]
    main = plan_trials(plans, n_catch=0, seed=4)
    assert [trial.options for trial in main[:3]] == [trial.options for trial in main[3:]]


def test_a_natural_foil_is_another_target_and_each_is_foil_once() -> None:
    *main, catch, _ = planned("two_afc", 6, foil_rule="natural")
    foils = [trial.options[1].image for trial in main]
    assert sorted(map(str, foils)) == [f"t{i}" for i in range(6)]
    assert all(trial.options[0].image != trial.options[1].image for trial in (*main, catch))


def test_the_odd_one_is_the_foil_and_the_reference_has_no_image_of_its_own() -> None:
    *main, catch, _ = planned("odd_one_out", 3, n_options=3)
    for trial in main:
        (reference,) = trial.references
        assert (reference.image, reference.answer) == (None, 2)
        assert [str(option.image)[0] for option in trial.options] == ["r", "t", "s"]
    assert catch.options[0] == catch.options[1] != catch.options[2]


def test_a_classification_offers_the_answer_and_some_others_by_name_with_icons() -> None:
    labelled = tuple(replace(item, label=f"l{place % 5}") for place, item in enumerate(items(10)))
    *main, catch, _ = planned(
        "classification", 10, items=labelled, n_options=3, labels=("l5", "l6"), icons={"l0": "icon"}
    )
    offered = Counter(option.label for trial in main for option in trial.options)
    assert set(offered) <= {f"l{n}" for n in range(7)}
    for trial, item in zip(main, labelled, strict=True):
        names = [option.label for option in trial.options]
        assert names == sorted(set(names))
        assert trial.options[trial.references[0].answer].label == item.label
        assert all((option.image == "icon") == (option.label == "l0") for option in trial.options)
    assert catch.references[0].image in {item.target for item in labelled}


def test_labels_keep_one_order_in_a_session_and_another_in_the_next() -> None:
    labelled = tuple(replace(item, label=f"l{place}") for place, item in enumerate(items(6)))
    plan = planned("classification", 6, items=labelled, n_options=6)

    def orders(seed: int) -> set[tuple[str, ...]]:
        shown = session(plan, order_seed=seed, practice_rounds=1)
        return {tuple(plan[one.trial].options[index].label for index in one.option_order) for one in shown}

    assert len(orders(1)) == 1
    assert orders(1) != orders(2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"format": "ranking"},
            "format is 'ranking'; allowed: two_afc, matching, classification, odd_one_out",
        ),
        ({"format": "two_afc", "foil_rule": "far"}, "foil rule is 'far'; allowed: start, natural"),
        ({"format": "matching", "n_options": 1}, "matching with 1 options; allowed: 2 to 6"),
        (
            {"format": "classification", "n_options": 3, "label": "a"},
            "classification with 3 options, but 1 labels",
        ),
    ],
)
def test_a_condition_that_cannot_be_planned_says_why(settings: dict[str, Any], said: str) -> None:
    label = settings.pop("label", "")
    assert fault_of(ConditionPlan("c", items=items(4, label=label), **settings)) == said


@pytest.mark.parametrize(
    ("field", "said"), [("foil_rule", "at least two different targets"), ("n_options", "")]
)
def test_targets_that_are_one_picture_give_no_foil_and_no_match(field: str, said: str) -> None:
    twins = tuple(replace(item, target="t") for item in items(4))
    if field == "foil_rule":
        assert said in str(fault_of(ConditionPlan("c", "two_afc", twins, foil_rule="natural")))
    else:
        assert "two of them are the same picture" in str(fault_of(ConditionPlan("c", "matching", twins)))


@pytest.mark.parametrize(("format", "n_options"), [("two_afc", 2), ("odd_one_out", 3), ("matching", 3)])
def test_answers_go_through_all_places_evenly_over_the_slots(format: str, n_options: int) -> None:
    plan = planned(format, 7, n_options=n_options)
    main = [number for number, trial in enumerate(plan) if trial.kind == "main"]
    slots = n_slots(len(main), 2, main_places(plan))
    counted = Counter(
        (one.trial, one.option_order.index(plan[one.trial].references[0].answer))
        for slot in range(slots)
        for one in session(plan, slot=slot, shown=2, order_seed=slot)
        if one.trial in main
    )
    assert len(counted) == len(main) * n_options
    assert len(set(counted.values())) == 1


@pytest.mark.parametrize("n_options", [2, 3])
def test_repeats_come_at_their_distance_with_every_option_elsewhere(n_options: int) -> None:
    plan = planned(*(("two_afc", 12) if n_options == 2 else ("odd_one_out", 12)), n_options=n_options)
    for seed in range(30):
        shown = session(plan, order_seed=seed, n_repeats=4, repeat_distance=6)
        again = [(place, one) for place, one in enumerate(shown) if one.repeat_of is not None]
        assert len(again) == 4
        for place, one in again:
            first = shown[one.repeat_of or 0]
            assert place - (one.repeat_of or 0) >= 6
            assert (one.trial, first.repeat_of, plan[one.trial].kind) == (first.trial, None, "main")
            assert all(a != b for a, b in zip(one.option_order, first.option_order, strict=True))


def test_repeats_that_do_not_fit_are_refused() -> None:
    check_repeats(12, SessionPlan(n_repeats=3, repeat_distance=10))
    with pytest.raises(
        DesignError, match="4 repeats at a distance of 10 do not fit into 12 main trials; at mo"
    ):
        check_repeats(12, SessionPlan(n_repeats=4, repeat_distance=10))
    with pytest.raises(DesignError, match="at most 0 do"):
        check_repeats(3, SessionPlan(n_repeats=1, repeat_distance=10))


def test_practice_comes_first_once_for_every_round_that_the_rule_allows() -> None:
    plan = plan_trials(conditions(4), n_catch=1, n_practice=2, seed=1)
    shown = session(plan, practice_pass=2, practice_rounds=3, break_every=3)
    assert [plan[one.trial].kind == "practice" for one in shown] == [True] * 6 + [False] * 5
    assert [one.block for one in shown] == [0, 0, 1, 1, 2, 2, 3, 3, 3, 4, 4]
    assert len(session(plan, practice_rounds=3)) == 2 + 5


@pytest.mark.parametrize(("per_participant", "slots"), [(0, 4), (3, 9), (7, 20), (10, 3), (99, 2)])
def test_what_slots_show_is_what_their_sessions_are_planned(per_participant: int, slots: int) -> None:
    plan = trials(10, n_catch=1)
    for slot, numbers in enumerate(shown_in_slots(10, per_participant, slots=slots, seed=5)):
        planned = session(plan, slot=slot, shown=per_participant, order_seed=slot)
        assert sorted(one.trial for one in planned if plan[one.trial].kind == "main") == sorted(numbers)
