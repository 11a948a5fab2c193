import json
import subprocess
import sys

import pytest

from workers.iri.recipe import (
    PRESETS,
    Optimizer,
    Passing,
    Recipe,
    RecipeError,
    Start,
    Term,
    Transform,
    preset,
)


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_survives_the_way_through_json(name: str) -> None:
    assert Recipe.from_json(preset(name).to_json()) == preset(name)


def test_json_is_canonical() -> None:
    text = preset("reg_free_paper").to_json()
    assert text == (
        '{"image_size":224,"keep":"best","objective":[{"distance":"relative_l2","kind":"representation",'
        '"weight":1.0}],"optimizer":{"learning_rate":1.0,"name":"normalized_gradient","schedule":"constant"},'
        '"parametrization":"pixel","passing":{"max_relative_error":0.2,"same_label":true},'
        '"relu_passthrough":false,"schema":1,"start":{"rule":"unit_noise"},"steps":5000,"transforms":[]}'
    )


def test_the_hash_knows_equal_recipes_by_their_content() -> None:
    one = preset("reg_free", optimizer=Optimizer("adam", 1))
    other = preset("reg_free", optimizer=Optimizer("adam", 1.0))
    assert one.sha256 == other.sha256
    assert one.sha256 != preset("reg_free").sha256
    assert one.sha256 == Recipe.from_json(json.dumps(json.loads(one.to_json()), indent=2)).sha256


def test_the_paper_s_descent_is_a_preset() -> None:
    paper = preset("reg_free_paper")
    assert (paper.steps, paper.keep, paper.finish_below) == (5000, "best", None)
    assert paper.optimizer == Optimizer("normalized_gradient", 1.0, "constant")


def test_the_formula_says_what_is_minimised_from_where_and_how() -> None:
    assert preset("reg_free").formula() == (
        "minimise L(x) = ‖g(x) − g(x_t)‖₂ / ‖g(x_t)‖₂ over x in [0, 1]^(3×96×96)\n"
        "start: x_0 = clamp(z, 0, 1), z ~ N(0, 1), rounded to 8 bits\n"
        "step: Adam (betas 0.9, 0.99), learning rate 0.1 falling to 0 by a cosine;"
        " x clamped to [0, 1] after every step\n"
        "steps: at most 240; an image is finished at relative error ≤ 0.03;"
        " the best iterate of each image is kept\n"
        "passes: relative error on the 8-bit image ≤ 0.2 and the network's label is the target's"
    )
    assert "η = 1\nsteps: 5000;" in preset("reg_free_paper").formula()
    assert "L(x) = 10 ‖g" in preset("reg_free", objective=(Term(weight=10),)).formula()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 8}, "image_size is 8; allowed: a whole number from 16 to 1024"),
        ({"image_size": 96.0}, "image_size is 96.0; allowed"),
        ({"steps": True}, "steps is True; allowed: a whole number from 1 to 100000"),
        ({"steps": 0}, "steps is 0; allowed"),
        ({"keep": "first"}, "keep is 'first'; allowed: 'best', 'last'"),
        ({"parametrization": "fourier"}, "parametrization is 'fourier'; allowed: 'pixel'"),
        ({"relu_passthrough": 0}, "relu_passthrough is 0; allowed: False"),
        ({"finish_below": 2}, "finish_below is 2; allowed: a number from 0 to 1"),
        ({"finish_below": float("nan")}, "finish_below is nan; allowed"),
        ({"objective": ()}, "objective has 0 terms; allowed: exactly 1"),
        ({"objective": Term()}, "objective is Term.*allowed: a list of Term"),
        ({"start": "unit_noise"}, "start is 'unit_noise'; allowed: a Start"),
        ({"step": 3}, "a recipe has no field step; allowed: image_size, steps"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        preset("reg_free", **changes)


def test_the_parts_refuse_unknown_values_too() -> None:
    with pytest.raises(RecipeError, match=r"objective.kind is 'tv'; allowed: 'representation'"):
        Term(kind="tv")
    with pytest.raises(RecipeError, match=r"objective.distance is 'cosine'; allowed: 'relative_l2'"):
        Term(distance="cosine")
    with pytest.raises(RecipeError, match=r"objective.weight is 0; allowed: any other number"):
        Term(weight=0)
    with pytest.raises(RecipeError, match=r"transforms.kind is 'jitter'; allowed: nothing yet"):
        Transform("jitter")
    with pytest.raises(RecipeError, match=r"optimizer.name is 'sgd'; allowed: 'adam'"):
        Optimizer("sgd")
    with pytest.raises(RecipeError, match=r"optimizer.schedule is 'step'; allowed: 'constant', 'cosine'"):
        Optimizer("adam", 0.1, "step")
    with pytest.raises(RecipeError, match=r"optimizer.learning_rate is 0; allowed: a number from 1e-08"):
        Optimizer("adam", 0)
    with pytest.raises(RecipeError, match=r"start.rule is 'pink'; allowed: 'unit_noise', 'light_noise'"):
        Start("pink")
    with pytest.raises(RecipeError, match=r"passing.same_label is 1; allowed: False, True"):
        Passing(same_label=1)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="preset is 'reg'; allowed: 'reg_free', 'reg_free_paper'"):
        preset("reg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a recipe must be JSON"),
        ("[]", "a recipe must be a JSON object, not list"),
        ('{"steps": 3}', "schema is None; allowed: 1"),
        ('{"schema": 2}', "schema is 2; allowed: 1"),
        ('{"schema": 1, "steps": 3}', "recipe lacks a field.*image_size"),
        ('{"schema": 1, "seed": 3}', "recipe has unknown fields seed; allowed: image_size, steps"),
        ('{"schema": 1, "start": {"kind": "x"}}', "start has unknown fields kind; allowed: rule"),
        ('{"schema": 1, "start": 3}', "start is 3; allowed: an object"),
        ('{"schema": 1, "objective": {}}', "objective is {}; allowed: a list"),
    ],
)
def test_text_that_is_no_recipe_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(text)


def test_recipes_need_no_torch() -> None:
    code = "import sys, workers.iri.recipe; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
