import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

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
        '"parametrization":"pixel","passing":{"null_quantile":0.99,"same_label":true},'
        '"relu_passthrough":true,"schema":1,"start":{"rule":"unit_noise"},"steps":5000,"transforms":[]}'
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
        "g: the layer's flattened response to the image, normalised per channel as the network expects\n"
        "start: x_0 = clamp(z, 0, 1), z ~ N(0, 1), rounded to 8 bits\n"
        "step: Adam (betas 0.9, 0.99), learning rate 0.07 falling to 0 by a cosine;"
        " x clamped to [0, 1] after every step\n"
        "steps: at most 240; an image is finished at relative error ≤ 0.03;"
        " each image's iterate of least relative error is kept\n"
        "passes: on the 8-bit image closer to x_t on each measure than 99 % of pairs of natural images,"
        " the network's label is the target's"
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
        (
            {"parametrization": "wavelet"},
            "parametrization is 'wavelet'; allowed: 'pixel', 'sigmoid', 'fourier'",
        ),
        ({"relu_passthrough": 0}, "relu_passthrough is 0; allowed: False, True"),
        ({"finish_below": 2}, "finish_below is 2; allowed: a number from 0 to 1"),
        ({"finish_below": float("nan")}, "finish_below is nan; allowed"),
        ({"objective": ()}, "objective has 0 terms; allowed: 1 to 12"),
        (
            {"objective": (Term("tv"),)},
            "objective has no representation term of positive weight at the pair's",
        ),
        ({"objective": (Term(weight=-1),)}, "objective has no representation term of positive weight"),
        ({"objective": (Term(layer="conv1"),)}, "objective has no representation term of positive weight"),
        ({"transforms": (Transform("jitter", 4),) * 13}, "13 transforms; allowed: at most 12"),
        (
            {"transforms": (Transform("jitter", 4), Transform("pad", 4))},
            "a pad is not the first transform; allowed: one, before the others",
        ),
        (
            {"transforms": (Transform("jitter", 4),), "optimizer": Optimizer("lbfgs")},
            "optimizer.name is 'lbfgs'; allowed with random transforms: 'adam', 'normalized_gradient'",
        ),
        (
            {"steps": 5, "optimizer": Optimizer("adam", 0.1, "halving", blocks=6)},
            "optimizer.blocks is 6; allowed: at most the 5 steps",
        ),
        ({"objective": Term()}, "objective is Term.*allowed: a list of Term"),
        ({"start": "unit_noise"}, "start is 'unit_noise'; allowed: a Start"),
        ({"step": 3}, "a recipe has no field step; allowed: image_size, steps"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        preset("reg_free", **changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "ssim"}, "objective.kind is 'ssim'; allowed: 'representation', 'tv', 'blur', 'l1', 'lp'"),
        ({"distance": "l1"}, "objective.distance is 'l1'; allowed: 'relative_l2', 'cosine', 'linf'"),
        ({"weight": 0}, "objective.weight is 0; allowed: any other number"),
        ({"weight": "1"}, "objective.weight is '1'; allowed: a number from -1e+06 to 1e+06"),
        ({"layer": ""}, "objective.layer is ''; allowed: a layer's name, or nothing for the pair's own"),
        ({"kind": "tv", "power": 0.5}, "objective.power is 0.5; allowed: a number from 1 to 20"),
        (
            {"kind": "tv", "distance": "cosine"},
            "objective.distance is 'cosine'; allowed: nothing, a tv term has",
        ),
        ({"kind": "blur", "power": 2}, "objective.power is 2; allowed: nothing, a blur term has none"),
        ({"kind": "l1", "about": 2}, "objective.about is 2; allowed: a number from 0 to 1"),
        (
            {"kind": "perceptual", "trunk": "vgg16"},
            "objective.trunk is 'vgg16'; allowed: 'alex', 'vgg', 'squeeze'",
        ),
        ({"kind": "perceptual", "anchor": "x"}, "objective.anchor is 'x'; allowed: 'target', 'start'"),
        ({"kind": "perceptual", "scale": 10}, "objective.scale is 10; allowed: 'measured'"),
        (
            {"kind": "perceptual", "anchor": "start", "scale": "measured"},
            "objective.scale is 'measured'; allowed: nothing where the anchor is the start image",
        ),
    ],
)
def test_a_term_says_what_it_cannot_have(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Term(**values)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "blur"}, "transforms.kind is 'blur'; allowed: 'pad', 'jitter', 'scale', 'rotate'"),
        ({"kind": "jitter"}, "transforms.pixels is None; allowed: a whole number from 1 to 256"),
        (
            {"kind": "jitter", "pixels": 4, "low": 1},
            "transforms.low is 1; allowed: nothing, a jitter has none",
        ),
        ({"kind": "pad", "pixels": 4, "value": 2}, "transforms.value is 2; allowed: a number from 0 to 1"),
        ({"kind": "scale", "low": 0, "high": 1}, "transforms.low is 0; allowed: a number from 0.1 to 10"),
        ({"kind": "scale", "low": 1.2, "high": 1}, "transforms.high is 1; allowed: a number from 1.2 to 10"),
        ({"kind": "rotate", "low": -5, "high": 5, "step": 0}, "transforms.step is 0; allowed: a number from"),
    ],
)
def test_a_transform_says_what_it_cannot_have(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        Transform(**values)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Optimizer("sgd"),
            "optimizer.name is 'sgd'; allowed: 'adam', 'normalized_gradient', 'lbfgs'",
        ),
        (
            lambda: Optimizer("adam", 0.1, "step"),
            "optimizer.schedule is 'step'; allowed: 'constant', 'cosine', 'halving'",
        ),
        (lambda: Optimizer("adam", 0), "optimizer.learning_rate is 0; allowed: a number from 1e-08"),
        (lambda: Optimizer(blocks=4), "optimizer.blocks is 4; allowed: nothing, a cosine schedule has none"),
        (
            lambda: Optimizer(schedule="halving", blocks=1),
            "optimizer.blocks is 1; allowed: a whole number from 2 to 64",
        ),
        (lambda: Optimizer(history=5), "optimizer.history is 5; allowed: nothing, adam has none"),
        (
            lambda: Optimizer("lbfgs", history=0),
            "optimizer.history is 0; allowed: a whole number from 1 to 100",
        ),
        (lambda: Start("pink"), "start.rule is 'pink'; allowed: 'unit_noise', 'light_noise'"),
        (
            lambda: Start("black", choice="nearest"),
            "start.choice is 'nearest'; allowed: nothing, black has none",
        ),
        (
            lambda: Start("natural", choice="next"),
            "start.choice is 'next'; allowed: 'other_class', 'nearest', 'farthest'",
        ),
        (lambda: Start("white", scale=1), "start.scale is 1; allowed: nothing, white has none"),
        (lambda: Start("target_noise", scale=0), "start.scale is 0; allowed: a number from 0.001 to 10"),
        (lambda: Passing(same_label=1), "passing.same_label is 1; allowed: False, True"),  # type: ignore[arg-type]
        (lambda: preset("reg"), "preset is 'reg'; allowed: 'reg_free', 'reg_free_paper', 'human_leaning'"),
    ],
)
def test_the_other_parts_say_what_they_cannot_have(make: Callable[[], object], message: str) -> None:
    with pytest.raises(RecipeError) as refused:
        make()
    assert str(refused.value).startswith(message)


def test_what_was_hashed_before_a_field_came_is_hashed_the_same() -> None:
    old = (
        '{"finish_below":0.03,"image_size":96,"keep":"best","objective":[{"distance":"relative_l2","kind":'
        '"representation","weight":1.0}],"optimizer":{"learning_rate":0.07,"name":"adam","schedule":"cosine"},'
        '"parametrization":"pixel","passing":{"null_quantile":0.99,"same_label":true},'
        '"relu_passthrough":false,"schema":1,"start":{"rule":"unit_noise"},"steps":240,"transforms":[]}'
    )
    assert preset("reg_free").to_json() == old


def test_a_default_spelled_out_is_the_same_recipe() -> None:
    spelled = (Term(), Term("tv", 1.0, power=2), Term("perceptual", 1, trunk="alex", anchor="target"))
    left_out = (Term(distance="relative_l2"), Term("tv"), Term("perceptual"))
    assert preset("reg_free", objective=spelled).sha256 == preset("reg_free", objective=left_out).sha256


def test_a_recipe_names_the_layers_and_trunks_that_it_needs() -> None:
    terms = (Term(), Term(layer="a"), Term(layer="b"), Term(layer="a", distance="cosine"), Term("perceptual"))
    recipe = preset("reg_free", objective=terms)
    assert (recipe.layers, recipe.trunks) == (("a", "b"), ("alex",))
    assert (preset("reg_free").layers, preset("reg_free").trunks) == ((), ())


def test_every_objective_of_the_method_has_its_weights() -> None:
    assert {
        name: [(term.kind, term.weight) for term in recipe.objective] for name, recipe in PRESETS.items()
    } == {
        "reg_free": [("representation", 1)],
        "reg_free_paper": [("representation", 1)],
        "human_leaning": [("representation", 1)],
        "human_leaning_fft": [("representation", 1)],
        "freq": [("representation", 10), ("tv", 5e-4), ("blur", 5e-4), ("l1", 5e-5)],
        "freq_tv": [("representation", 10), ("tv", 5e-4)],
        "freq_blur": [("representation", 10), ("blur", 5e-4)],
        "freq_l1": [("representation", 10), ("l1", 5e-5)],
        "tv_l6": [("representation", 10), ("tv", 5e-4), ("lp", 1)],
        "adversarial": [("representation", 1), ("perceptual", -1)],
        "adversarial_seed": [("representation", 1), ("perceptual", 10)],
        "feather2023": [("representation", 1)],
    }


def test_feather_s_metamers_are_a_preset() -> None:
    feather = preset("feather2023")
    assert (feather.steps, feather.keep, feather.relu_passthrough) == (24_000, "last", True)
    assert (feather.start.rule, feather.optimizer.schedule, feather.optimizer.blocks) == (
        "grey_noise",
        "halving",
        8,
    )


def test_a_frame_comes_with_the_size_that_has_room_for_it() -> None:
    assert [one.kind for one in preset("human_leaning").transforms] == ["jitter", "scale", "rotate", "jitter"]
    assert preset("human_leaning", image_size=224).transforms[0] == Transform("pad", pixels=12, value=0.5)
    assert preset("human_leaning", image_size=224, transforms=()).transforms == ()


def test_the_formula_names_every_piece() -> None:
    recipe = Recipe(
        image_size=224,
        steps=80,
        objective=(
            Term(weight=10),
            Term(weight=2, distance="cosine", layer="layer3"),
            Term(weight=-1, distance="linf", layer="fc"),
            Term("tv", 5e-4, power=1),
            Term("blur", 5e-4),
            Term("l1", 5e-5),
            Term("lp", 1, power=6),
            Term("perceptual", -2, scale="measured"),
            Term("perceptual", 3, trunk="vgg", anchor="start"),
        ),
        transforms=(Transform("pad", 12), Transform("scale", low=0.9, high=1.1)),
        parametrization="fourier",
        relu_passthrough=True,
        start=Start("natural", choice="nearest"),
        optimizer=Optimizer("normalized_gradient", 0.5, "halving"),
    )
    assert recipe.formula() == (
        "minimise L(x) = 10 ‖g(T(x)) − g(x_t)‖₂ / ‖g(x_t)‖₂ + 2 (1 − cos(g[layer3](T(x)), g[layer3](x_t)))"
        " − ‖g[fc](T(x)) − g[fc](x_t)‖_∞ / ‖g[fc](x_t)‖_∞ + 0.0005 (Σ dx² + Σ dy²)^(1/2)"
        " + 0.0005 ½ Σ (x − blur₃(x))² + 5e-05 Σ |x − 0.5| + ‖x‖_6 − 2 s LPIPS_alex(x, x_t)"
        " + 3 LPIPS_vgg(x, x_0) over x in [0, 1]^(3×224×224)\n"
        "g: the layer's flattened response to the image, normalised per channel as the network expects\n"
        "T: pad 12 px of 0.5, then scale 0.9 to 1.1; drawn anew for every image and step from the image's"
        " RNG seed\n"
        "blur₃: 3×3 kernel, centre 1, ring 0.5, normalised; taken as a constant\n"
        "s = L_rep(x_0) / LPIPS(x_0, x_t), measured for each image, then fixed\n"
        "parametrisation: x = sigmoid(C F⁻¹(S θ)), θ Fourier coefficients, S ∝ 1/frequency, C colour"
        " correlation\n"
        "gradient: ReLUs that end at the layer pass it through unchanged\n"
        "start: x_0 = the image of the set nearest to x_t in pixels (L2), other than x_t, rounded to 8 bits\n"
        "step: θ ← θ − η ∇L / (‖∇L‖₂ + 1e-10), η = 0.5, halved from each of 8 blocks to the next\n"
        "steps: 80; each image's iterate of least relative error is kept\n"
        "passes: on the 8-bit image closer to x_t on each measure than 99 % of pairs of natural images,"
        " the network's label is the target's"
    )
    assert (
        "step: L-BFGS of each image (history 10, no line search), learning rate 1; x clamped"
        in preset("reg_free", optimizer=Optimizer("lbfgs", 1, "constant")).formula()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "a recipe must be JSON"),
        ("[]", "a recipe must be a JSON object, not list"),
        ('{"steps": 3}', "schema is None; allowed: 1"),
        ('{"schema": 2}', "schema is 2; allowed: 1"),
        ('{"schema": 1, "steps": 3}', "recipe lacks image_size; allowed: an object with image_size, steps"),
        ('{"schema": 1, "seed": 3}', "recipe has unknown fields seed; allowed: image_size, steps"),
        ('{"schema": 1, "start": {"kind": "x"}}', "start has unknown fields kind; allowed: rule"),
        ('{"schema": 1, "start": 3}', "start is 3; allowed: an object"),
        ('{"schema": 1, "objective": {}}', "objective is {}; allowed: a list"),
        (
            '{"schema": 1, "objective": [{"kind": "tv"}, {"kind": "tv", "weight": "1"}]}',
            r"^objective\[1\].weight is '1'; allowed: a number",
        ),
        ('{"schema": 1, "transforms": [{"kind": "jitter"}]}', r"^transforms\[0\].pixels is None; allowed"),
        ('{"schema": 1, "transforms": [{"pixels": 3}]}', r"^transforms\[0\] lacks kind; allowed"),
        ('{"schema": 1, "objective": [{"kindd": 3}]}', r"^objective\[0\] has unknown fields kindd"),
        ('{"schema": 1, "steps": 3, "steps": 4}', "a recipe has steps twice; allowed: each field once"),
        ("[" * 100_000, "a recipe must be JSON: it is nested too deep"),
        ('{"schema": ' + "9" * 5000 + "}", "a recipe must be JSON"),
    ],
)
def test_text_that_is_no_recipe_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(text)


def test_recipes_need_no_torch() -> None:
    code = "import sys, workers.iri.recipe; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_optimiser_left_to_itself_has_a_rate_that_suits_it() -> None:
    assert Optimizer() == Optimizer("adam", 0.07, "cosine") == PRESETS["reg_free"].optimizer
    assert Optimizer("normalized_gradient") == Optimizer("normalized_gradient", 1.0, "constant")
    assert Optimizer("lbfgs") == Optimizer("lbfgs", 1.0, "constant", history=10)
    assert Optimizer("lbfgs", 0.5).schedule == "constant"
    assert Recipe(image_size=96, steps=240, finish_below=0.03) == PRESETS["reg_free"]
