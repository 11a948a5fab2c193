"""A report does not depend on the order of its rows or on what participants are called, to the last bit."""

import random
from typing import Any

import pytest

from survey_site.analysis.canonical import canonical
from survey_site.analysis.report import ReportSettings, alignment_report
from survey_site.analysis.responses import ResponseRow
from survey_site.analysis.score_settings import ScoreSettings

CONDITIONS = [
    {"condition": name, "label": name, "shows": "iri", "network": network, "recipe": "r", "layer": "l"}
    | dict.fromkeys(
        ("architecture", "family", "is_residual", "training_loss", "augmentation", "training_set"), "x"
    )
    | {"is_control": "0", "layer_depth": "1"}
    for name, network in (("a", "net"), ("b", "other"))
]
FEW = ReportSettings(score=ScoreSettings(replicates=200), n_splits=50)


def answers(seed: int, *, people: int = 9, items: int = 6) -> list[ResponseRow]:
    """Two conditions; every person repeats one item of each."""
    rng = random.Random(seed)
    return [
        ResponseRow(
            participant=f"p{person}",
            session=f"s{person}",
            condition=condition,
            item=f"{condition}{item % items}",
            reference=0,
            kind="main",
            presentation=f"{person}-{condition}-{item}",
            repeat_of=f"{person}-{condition}-0" if item == items else "",
            choice=rng.choice(["left", "right"]),
            place=rng.randrange(2),
            answer_place=rng.randrange(2),
            n_options=2,
            trial_format="two_afc",
            is_correct=rng.random() < 0.7,
            rt=rng.uniform(300, 2000),
            confidence=rng.randint(1, 5),
            focus_lost=0,
            target_label=f"class {item % 2}",
            excluded_by="catch_rate" if person == 3 else "",
        )
        for person in range(people)
        for condition in ("a", "b")
        for item in range(items + 1)
    ]


def report(rows: list[ResponseRow]) -> dict[str, Any]:
    return alignment_report(rows, conditions=CONDITIONS, settings=FEW)


def renamed(rows: list[ResponseRow], seed: int) -> list[ResponseRow]:
    """Participants, sessions and presentations under other names, whose order is another."""
    rng = random.Random(seed)
    names: dict[str, str] = {"": ""}

    def name(old: str) -> str:
        return names.setdefault(old, f"{rng.getrandbits(64):x}")

    return [
        row._replace(
            participant=name(row.participant),
            session=name(row.session),
            presentation=name(row.presentation),
            repeat_of=name(row.repeat_of),
        )
        for row in rows
    ]


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_nor_names_change_a_bit(seed: int) -> None:
    rows = answers(seed)
    other = renamed(rows, seed)
    random.Random(seed).shuffle(other)
    before, after = report(rows), report(other)
    before.pop("by_participant")
    after.pop("by_participant")
    for part in before:
        assert after[part] == before[part], part


def test_answers_change_it() -> None:
    rows = answers(0)
    assert report([rows[0]._replace(is_correct=not rows[0].is_correct), *rows[1:]]) != report(rows)


def test_a_repeat_comes_after_what_it_repeats() -> None:
    ordered = canonical(answers(1)[::-1])
    places = {row.presentation: place for place, row in enumerate(ordered)}
    assert all(places[row.repeat_of] < place for place, row in enumerate(ordered) if row.repeat_of)


def test_nothing_is_lost() -> None:
    rows = answers(2)
    assert sorted(map(str, canonical(rows))) == sorted(map(str, rows))
