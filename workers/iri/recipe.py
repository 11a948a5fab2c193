"""Recipes: everything that determines an IRI apart from network, layer, target and RNG seed.

A recipe is data: frozen, checked when made, written as canonical JSON and known by the hash of that JSON.
Only the standard library is needed, so the web can check, hash and show a recipe without torch.

>>> recipe = preset("reg_free", image_size=128)
>>> Recipe.from_json(recipe.to_json()) == recipe
True
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from workers.iri.recipe_checks import RecipeError, choice, instance, instances, number, whole
from workers.iri.recipe_parts import (
    ANCHORS,
    CHOICES,
    DISTANCES,
    NULL_QUANTILES,
    OPTIMIZERS,
    SCHEDULES,
    START_RULES,
    TERMS,
    TRANSFORMS,
    TRUNKS,
    Optimizer,
    Passing,
    Start,
    Term,
    Transform,
)

__all__ = [
    "ANCHORS",
    "CHOICES",
    "DISTANCES",
    "KEEPS",
    "NULL_QUANTILES",
    "OPTIMIZERS",
    "PARAMETRIZATIONS",
    "PRESETS",
    "SCHEDULES",
    "START_RULES",
    "TERMS",
    "TRANSFORMS",
    "TRUNKS",
    "Optimizer",
    "Passing",
    "Recipe",
    "RecipeError",
    "Start",
    "Term",
    "Transform",
    "preset",
]

SCHEMA = 1
SMALLEST_IMAGE, LARGEST_IMAGE = 16, 1024
MOST_STEPS = 100_000
MOST_TERMS = MOST_TRANSFORMS = 12

PARAMETRIZATIONS = ("pixel", "sigmoid", "fourier")
KEEPS = ("best", "last")


@dataclass(frozen=True)
class Recipe:
    """What determines an IRI apart from the pair, the target and the RNG seed.

    `image_size`: height and width in pixels of target, start image and IRI.
    `steps`: gradient steps at most. `finish_below`: an image whose relative error falls to this leaves the
    batch early; None runs every step. `keep`: the iterate of least relative error at the pair's layer, or the
    last one.
    `parametrization`: what the steps move: the pixels, clamped to [0, 1] after each step; their logits
    (`sigmoid`); or scaled Fourier coefficients in decorrelated colours (`fourier`, Olah et al. 2017).
    `relu_passthrough`: the ReLUs that end at the pair's layer pass the gradient through as if they were not
    there (Feather et al. 2023).

    Raises RecipeError where a value is not allowed.
    """

    image_size: int
    steps: int
    objective: tuple[Term, ...] = field(default_factory=lambda: (Term(),))
    transforms: tuple[Transform, ...] = ()
    parametrization: str = "pixel"
    relu_passthrough: bool = False
    start: Start = field(default_factory=Start)
    optimizer: Optimizer = field(default_factory=Optimizer)
    keep: str = "best"
    finish_below: float | None = None
    passing: Passing = field(default_factory=Passing)

    def __post_init__(self) -> None:
        whole("image_size", self.image_size, SMALLEST_IMAGE, LARGEST_IMAGE)
        whole("steps", self.steps, 1, MOST_STEPS)
        for name, kind in (("start", Start), ("optimizer", Optimizer), ("passing", Passing)):
            instance(name, getattr(self, name), kind)
        choice("parametrization", self.parametrization, PARAMETRIZATIONS)
        choice("relu_passthrough", self.relu_passthrough, (False, True))
        choice("keep", self.keep, KEEPS)
        if self.finish_below is not None:
            object.__setattr__(self, "finish_below", number("finish_below", self.finish_below, 0.0, 1.0))
        self._check_objective()
        self._check_transforms()
        blocks = self.optimizer.blocks
        if blocks is not None and blocks > self.steps:
            raise RecipeError(f"optimizer.blocks is {blocks}; allowed: at most the {self.steps} steps")

    def _check_objective(self) -> None:
        object.__setattr__(self, "objective", instances("objective", self.objective, Term))
        if not 1 <= len(self.objective) <= MOST_TERMS:
            raise RecipeError(f"objective has {len(self.objective)} terms; allowed: 1 to {MOST_TERMS}")
        if not any(term.is_matched for term in self.objective):
            raise RecipeError(
                "objective has no representation term of positive weight at the pair's own layer;"
                " allowed: at least one, since an IRI is found by it"
            )

    def _check_transforms(self) -> None:
        object.__setattr__(self, "transforms", instances("transforms", self.transforms, Transform))
        if len(self.transforms) > MOST_TRANSFORMS:
            raise RecipeError(f"{len(self.transforms)} transforms; allowed: at most {MOST_TRANSFORMS}")
        if any(transform.kind == "pad" for transform in self.transforms[1:]):
            raise RecipeError("a pad is not the first transform; allowed: one, before the others")
        if self.transforms and self.optimizer.name == "lbfgs":
            raise RecipeError(
                "optimizer.name is 'lbfgs'; allowed with random transforms: 'adam', 'normalized_gradient',"
                " since L-BFGS compares the gradients of two steps"
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that the objective looks at beside the pair's own, each once."""
        return tuple(dict.fromkeys(term.layer for term in self.objective if term.layer is not None))

    @property
    def trunks(self) -> tuple[str, ...]:
        """LPIPS trunks that the objective needs, each once."""
        return tuple(dict.fromkeys(term.trunk for term in self.objective if term.trunk is not None))

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, `schema` named.

        A field that is None is left out, so that an optional field added later changes no hash.
        """
        spec = {"schema": SCHEMA, **_plain(self)}
        return json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote. Raises RecipeError where the text is not one."""
        if not isinstance(text, str):
            raise RecipeError(f"a recipe is {text!r}; allowed: JSON text, as to_json writes")
        try:
            spec = json.loads(text, object_pairs_hook=_each_once)
        except RecursionError as error:
            raise RecipeError("a recipe must be JSON: it is nested too deep") from error
        except RecipeError:
            raise
        except ValueError as error:
            raise RecipeError(f"a recipe must be JSON: {error}") from error
        if not isinstance(spec, dict):
            raise RecipeError(f"a recipe must be a JSON object, not {type(spec).__name__}")
        choice("schema", spec.pop("schema", None), (SCHEMA,))
        nested = {name: _nested(name, value) for name, value in spec.items()}
        return _make(cls, "recipe", nested)

    @property
    def sha256(self) -> str:
        """Hash of the canonical JSON: equal for equal recipes, whoever wrote them."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def formula(self) -> str:
        """What will be minimised, from where, and how, as lines of text."""
        size = self.image_size
        lines = [
            f"minimise L(x) = {self._sum()} over x in [0, 1]^(3×{size}×{size})",
            "g: the layer's flattened response to the image, normalised per channel as the network expects",
            *self._where(),
            f"start: x_0 = {self.start.formula()}, rounded to 8 bits",
            f"step: {self.optimizer.formula(self.parametrization)}",
            f"steps: {self._steps_formula()}; each image's {_KEPT[self.keep]} is kept",
            f"passes: {self.passing.formula()}",
        ]
        return "\n".join(lines)

    def _sum(self) -> str:
        x = "T(x)" if self.transforms else "x"
        first, *others = self.objective
        rest = (f" {'−' if term.weight < 0 else '+'} {term.formula(x)}" for term in others)
        return f"{'−' if first.weight < 0 else ''}{first.formula(x)}{''.join(rest)}"

    def _where(self) -> list[str]:
        """The symbols that need a word, one a line; none where the formula stands for itself."""
        kinds = {term.kind for term in self.objective}
        lines = []
        if self.transforms:
            chain = ", then ".join(transform.formula() for transform in self.transforms)
            lines.append(f"T: {chain}; drawn anew for every image and step from the image's RNG seed")
        if "blur" in kinds:
            lines.append("blur₃: 3×3 kernel, centre 1, ring 0.5, normalised; taken as a constant")
        if any(term.scale for term in self.objective):
            lines.append("s = L_rep(x_0) / LPIPS(x_0, x_t), measured for each image, then fixed")
        if self.parametrization != "pixel":
            lines.append(f"parametrisation: {_PARAMETRIZATION_FORMULAS[self.parametrization]}")
        if self.relu_passthrough:
            lines.append("gradient: ReLUs that end at the layer pass it through unchanged")
        return lines

    def _steps_formula(self) -> str:
        if self.finish_below is None:
            return str(self.steps)
        return f"at most {self.steps}; an image is finished at relative error ≤ {self.finish_below:g}"


_PARAMETRIZATION_FORMULAS = {
    "sigmoid": "x = sigmoid(θ)",
    "fourier": "x = sigmoid(C F⁻¹(S θ)), θ Fourier coefficients, S ∝ 1/frequency, C colour correlation",
}


_ONE = MappingProxyType({"start": Start, "optimizer": Optimizer, "passing": Passing})
_MANY = MappingProxyType({"objective": Term, "transforms": Transform})


def _plain(value: Any) -> Any:
    """A dataclass as dictionaries and lists, None left out."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    pairs = ((one.name, getattr(value, one.name)) for one in fields(value))
    return {name: _plain(one) for name, one in pairs if one is not None}


def _nested(name: str, value: Any) -> Any:
    if name in _ONE:
        return _make(_ONE[name], name, value)
    if name in _MANY:
        if not isinstance(value, list):
            raise RecipeError(f"{name} is {value!r}; allowed: a list")
        return tuple(_placed(name, place, one) for place, one in enumerate(value))
    return value


def _placed(name: str, place: int, value: Any) -> Any:
    """One of several; a refusal says which."""
    where = f"{name}[{place}]"
    try:
        return _make(_MANY[name], where, value)
    except RecipeError as error:
        field = str(error).removeprefix(f"{name}.")
        raise (error if field == str(error) else RecipeError(f"{where}.{field}")) from error


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON's object, none of whose names comes twice."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RecipeError(f"a recipe has {', '.join(twice)} twice; allowed: each field once")
    return dict(pairs)


def _make(kind: Any, where: str, values: Any) -> Any:
    """An instance of a dataclass from JSON's values; unknown and missing names are errors."""
    if not isinstance(values, Mapping):
        raise RecipeError(f"{where} is {values!r}; allowed: an object")
    names = [one.name for one in fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise RecipeError(f"{where} has unknown fields {', '.join(unknown)}; allowed: {', '.join(names)}")
    # What was left out was None, whatever the default is today: a stored recipe keeps its meaning.
    left_out = {one.name: None for one in fields(kind) if str(one.type).endswith("| None")}
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    if missing := [name for name in needed if name not in values]:
        raise RecipeError(f"{where} lacks {', '.join(missing)}; allowed: an object with {', '.join(names)}")
    return kind(**{**left_out, **values})


_FAST = Optimizer("adam", 0.07, "cosine")
_SIDE = 96  # pixels
_KEPT = {"best": "iterate of least relative error", "last": "last iterate"}
_PADDED_FROM = 224  # pixels; smaller images have no room for a frame
_ROBUST = (
    Transform("jitter", pixels=8),
    Transform("scale", low=0.9, high=1.1, step=0.02),
    Transform("rotate", low=-10, high=10, step=1),
    Transform("jitter", pixels=4),
)
_TV, _BLUR, _L1 = Term("tv", 5e-4), Term("blur", 5e-4), Term("l1", 5e-5)


def _fast(*objective: Term, steps: int = 240) -> Recipe:
    return Recipe(image_size=_SIDE, steps=steps, objective=objective, optimizer=_FAST)


# Nanda et al. (AAAI 2023), table of objectives, on the shipped fast descent; figures are in docs/method.md.
PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        # The shipped default.
        "reg_free": replace(_fast(Term()), finish_below=0.03),
        # The paper's own descent, for replication.
        "reg_free_paper": Recipe(
            image_size=224,
            steps=5000,
            optimizer=Optimizer("normalized_gradient", 1.0, "constant"),
            relu_passthrough=True,
        ),
        # The last iterate is kept, since under random views one iterate's error says little. Unit noise is
        # left slowly under them, and zeros and ones have no gradient under a sigmoid: both start grey.
        "human_leaning": replace(
            _fast(Term(), steps=480),
            transforms=_ROBUST,
            start=Start("grey_noise"),
            optimizer=Optimizer("adam", 0.02, "cosine"),
            keep="last",
        ),
        "human_leaning_fft": replace(
            _fast(Term(), steps=480),
            transforms=_ROBUST,
            parametrization="fourier",
            start=Start("grey_noise"),
            optimizer=Optimizer("adam", 0.01, "cosine"),
            keep="last",
        ),
        "freq": _fast(Term(weight=10), _TV, _BLUR, _L1),
        "freq_tv": _fast(Term(weight=10), _TV),
        "freq_blur": _fast(Term(weight=10), _BLUR),
        "freq_l1": _fast(Term(weight=10), _L1),
        # Mahendran & Vedaldi (CVPR 2015).
        "tv_l6": _fast(Term(weight=10), _TV, Term("lp", 1.0, power=6)),
        "adversarial": _fast(Term(), Term("perceptual", -1.0, scale="measured")),
        "adversarial_seed": _fast(Term(), Term("perceptual", 10.0, anchor="start")),
        # Feather et al. (Nature Neuroscience 2023).
        "feather2023": Recipe(
            image_size=224,
            steps=24_000,
            optimizer=Optimizer("normalized_gradient", 1.0, "halving", blocks=8),
            start=Start("grey_noise"),
            keep="last",
            relu_passthrough=True,
        ),
    }
)


def preset(name: str, **changes: Any) -> Recipe:
    """A shipped recipe, with some of its fields changed.

    >>> preset("reg_free", steps=10).steps
    10

    From 224 px on, the presets with random transforms frame the image first (12 px of grey), unless
    `transforms` is given.
    Raises RecipeError for an unknown preset, an unknown field or a value that is not allowed.
    """
    choice("preset", name, tuple(PRESETS))
    names = [one.name for one in fields(Recipe)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise RecipeError(f"a recipe has no field {', '.join(unknown)}; allowed: {', '.join(names)}")
    made = replace(PRESETS[name], **changes)
    if made.transforms and made.image_size >= _PADDED_FROM and "transforms" not in changes:
        return replace(made, transforms=(Transform("pad", pixels=12), *made.transforms))
    return made
