"""The parts of a recipe: terms of the objective, transforms, optimiser, start rule, thresholds of passing.

A field that a kind doesn't have is None, and None is left out of the JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from workers.iri.recipe_checks import RecipeError, absent, choice, number, whole

TERMS = ("representation", "tv", "blur", "l1", "lp", "perceptual")
DISTANCES = ("relative_l2", "cosine", "linf")
TRUNKS = ("alex", "vgg", "squeeze")
ANCHORS = ("target", "start")
TRANSFORMS = ("pad", "jitter", "scale", "rotate")
OPTIMIZERS = ("adam", "normalized_gradient", "lbfgs")
SCHEDULES = ("constant", "cosine", "halving")
START_RULES = (
    "unit_noise", "light_noise", "grey_noise", "black", "white", "natural", "target_noise",
)  # fmt: skip
CHOICES = ("other_class", "nearest", "farthest")

_FOUND, _WANTED = "{g}({x})", "{g}(x_t)"
_DISTANCE_FORMULAS = {
    "relative_l2": f"‖{_FOUND} − {_WANTED}‖₂ / ‖{_WANTED}‖₂",
    "cosine": f"(1 − cos({_FOUND}, {_WANTED}))",
    "linf": f"‖{_FOUND} − {_WANTED}‖_∞ / ‖{_WANTED}‖_∞",
}


@dataclass(frozen=True)
class Term:
    """One weighted part of the objective; a negative weight pushes away instead of pulling.

    `representation`: the distance between a layer's response to the image and to the target. `layer` names
    another layer than the pair's (None: the pair's own). `relative_l2` is ||g(x) - g(x_t)||_2 / ||g(x_t)||_2
    (Nanda et al., AAAI 2023), `cosine` 1 - cos(g(x), g(x_t)), `linf` the relative error in the maximum norm.

    The others look at the image in [0, 1] itself, never at normalised or transformed pixels:
    `tv`: (sum dx^2 + sum dy^2)^(power / 2), power 2 unless given (Mahendran & Vedaldi, CVPR 2015).
    `blur`: 0.5 sum (x - blur3(x))^2, the blurred image taken as a constant (Olah et al. 2017).
    `l1`: sum |x - about|, about 0.5 unless given. `lp`: (sum |x - about|^power)^(1 / power), power 6 and
    about 0 unless given.
    `perceptual`: LPIPS (Zhang et al., CVPR 2018) on a `trunk`, to the `anchor` (target or start image).
    `scale="measured"` multiplies it by s = L_rep(x_0) / LPIPS(x_0, x_t), measured for each image on its start
    image and then fixed.
    """

    kind: str = "representation"
    weight: float = 1.0
    distance: str | None = None
    layer: str | None = None
    power: float | None = None
    about: float | None = None
    trunk: str | None = None
    anchor: str | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        choice("objective.kind", self.kind, TERMS)
        weight = number("objective.weight", self.weight, -1e6, 1e6)
        if weight == 0:
            raise RecipeError("objective.weight is 0; allowed: any other number; leave the term out instead")
        object.__setattr__(self, "weight", weight)
        for name, default in _TERM_DEFAULTS.items():
            if name not in _TERM_FIELDS[self.kind]:
                absent(f"objective.{name}", getattr(self, name), f"a {self.kind} term")
            elif getattr(self, name) is None:
                object.__setattr__(self, name, default[self.kind] if isinstance(default, dict) else default)
        for name in _TERM_FIELDS[self.kind]:
            self._check(name)

    def _check(self, name: str) -> None:
        field, value = f"objective.{name}", getattr(self, name)
        if name in _TERM_CHOICES:
            choice(field, value, _TERM_CHOICES[name])
        elif name in _TERM_RANGES:
            object.__setattr__(self, name, number(field, value, *_TERM_RANGES[name]))
        elif value is not None and name == "layer" and not (isinstance(value, str) and value):
            raise RecipeError(f"{field} is {value!r}; allowed: a layer's name, or nothing for the pair's own")
        elif value is not None and name == "scale":
            choice(field, value, ("measured",))
            if self.anchor == "start":
                raise RecipeError(
                    "objective.scale is 'measured'; allowed: nothing where the anchor is the start image,"
                    " whose distance to itself is 0"
                )

    @property
    def is_matched(self) -> bool:
        """Whether it pulls the pair's own layer to its response to the target."""
        return self.kind == "representation" and self.layer is None and self.weight > 0

    def formula(self, x: str = "x") -> str:
        """The term without its weight's sign; `x` is what the network sees, for instance T(x)."""
        size = abs(self.weight)
        scale = "s " if self.scale else ""
        return f"{'' if size == 1 else f'{size:g} '}{scale}{_TERM_FORMULAS[self.kind](self, x)}"


_TERM_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "representation": ("distance", "layer"),
        "tv": ("power",),
        "blur": (),
        "l1": ("about",),
        "lp": ("power", "about"),
        "perceptual": ("trunk", "anchor", "scale"),
    }
)
_TERM_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "distance": "relative_l2",
        "layer": None,
        "power": {"tv": 2.0, "lp": 6.0},
        "about": {"l1": 0.5, "lp": 0.0},
        "trunk": "alex",
        "anchor": "target",
        "scale": None,
    }
)
_TERM_CHOICES = {"distance": DISTANCES, "trunk": TRUNKS, "anchor": ANCHORS}
_TERM_RANGES = {"power": (1.0, 20.0), "about": (0.0, 1.0)}


def _representation(term: Term, x: str) -> str:
    g = "g" if term.layer is None else f"g[{term.layer}]"
    return _DISTANCE_FORMULAS[str(term.distance)].format(g=g, x=x)


def _tv(term: Term, x: str) -> str:
    return "(Σ dx² + Σ dy²)" + ("" if term.power == 2 else f"^({term.power:g}/2)")


def _centred(term: Term) -> str:
    return f"x − {term.about:g}" if term.about else "x"


def _perceptual(term: Term, x: str) -> str:
    return f"LPIPS_{term.trunk}(x, {'x_t' if term.anchor == 'target' else 'x_0'})"


_TERM_FORMULAS: Mapping[str, Callable[[Term, str], str]] = MappingProxyType(
    {
        "representation": _representation,
        "tv": _tv,
        "blur": lambda term, x: "½ Σ (x − blur₃(x))²",
        "l1": lambda term, x: f"Σ |{_centred(term)}|",
        "lp": lambda term, x: f"‖{_centred(term)}‖_{term.power:g}",
        "perceptual": _perceptual,
    }
)


@dataclass(frozen=True)
class Transform:
    """A random transform of the image before the network sees it, drawn anew for every image and step.

    `pad`: a frame of `pixels` of the grey `value` (0.5 unless given). `jitter`: a shift by whole pixels,
    across and down, each from -pixels // 2 to pixels // 2.
    `scale`: about the centre, by a factor from `low` to `high`; `rotate`: about the centre, by an angle in
    degrees from `low` to `high`; both in steps of `step`, or any value where it is None.
    """

    kind: str
    pixels: int | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None

    def __post_init__(self) -> None:
        choice("transforms.kind", self.kind, TRANSFORMS)
        allowed = _TRANSFORM_FIELDS[self.kind]
        for name in ("pixels", "value", "low", "high", "step"):
            if name not in allowed:
                absent(f"transforms.{name}", getattr(self, name), f"a {self.kind}")
        if "pixels" in allowed:
            whole("transforms.pixels", self.pixels, 1, 256)
        if "value" in allowed:
            given = 0.5 if self.value is None else self.value
            object.__setattr__(self, "value", number("transforms.value", given, 0.0, 1.0))
        if "low" in allowed:
            self._check_range(*_TRANSFORM_RANGES[self.kind])

    def _check_range(self, least: float, most: float) -> None:
        low = number("transforms.low", self.low, least, most)
        high = number("transforms.high", self.high, low, most)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if self.step is not None:
            object.__setattr__(self, "step", number("transforms.step", self.step, 1e-6, most))

    def formula(self) -> str:
        if self.kind == "pad":
            return f"pad {self.pixels} px of {self.value:g}"
        if self.kind == "jitter":
            return f"jitter {self.pixels} px"
        unit = "°" if self.kind == "rotate" else ""
        step = "" if self.step is None else f" in steps of {self.step:g}{unit}"
        return f"{self.kind} {self.low:g}{unit} to {self.high:g}{unit}{step}"


_TRANSFORM_FIELDS = {
    "pad": ("pixels", "value"),
    "jitter": ("pixels",),
    "scale": ("low", "high", "step"),
    "rotate": ("low", "high", "step"),
}
_TRANSFORM_RANGES = {"scale": (0.1, 10.0), "rotate": (-180.0, 180.0)}


@dataclass(frozen=True)
class Optimizer:
    """How the parameters theta of the image move (the pixels themselves in the pixel parametrisation).

    `adam`: Adam (Kingma & Ba 2015), betas 0.9 and 0.99.
    `normalized_gradient`: theta <- theta - learning_rate * grad / (||grad||_2 + 1e-10), the norm taken per
    image (Nanda et al., AAAI 2023).
    `lbfgs`: L-BFGS (Nocedal & Wright, algorithm 7.5) without line search, for each image alone, remembering
    the last `history` steps (10 unless given).
    The learning rate: `cosine` lets it fall from its value to 0 over the steps, `constant` keeps it,
    `halving` divides the steps into `blocks` of equal length (8 unless given) and halves it from block to
    block (Feather et al. 2023).
    Where they are left out, Adam falls from 0.07 by a cosine, as the shipped default does, and the others
    keep a rate of 1: the paper's of the normalised gradient, a whole quasi-Newton step of L-BFGS.
    """

    name: str = "adam"
    learning_rate: float | None = None
    schedule: str | None = None
    blocks: int | None = None
    history: int | None = None

    def __post_init__(self) -> None:
        choice("optimizer.name", self.name, OPTIMIZERS)
        rate, schedule = _RATES[self.name]
        object.__setattr__(self, "schedule", schedule if self.schedule is None else self.schedule)
        object.__setattr__(self, "learning_rate", rate if self.learning_rate is None else self.learning_rate)
        choice("optimizer.schedule", self.schedule, SCHEDULES)
        rate = number("optimizer.learning_rate", self.learning_rate, 1e-8, 1e4)
        object.__setattr__(self, "learning_rate", rate)
        self._whole("blocks", self.schedule == "halving", 8, 2, 64, f"a {self.schedule} schedule")
        self._whole("history", self.name == "lbfgs", 10, 1, 100, self.name)

    def _whole(self, name: str, belongs: bool, default: int, low: int, high: int, owner: str) -> None:
        value = getattr(self, name)
        if not belongs:
            absent(f"optimizer.{name}", value, owner)
            return
        object.__setattr__(self, name, default if value is None else value)
        whole(f"optimizer.{name}", getattr(self, name), low, high)

    def formula(self, parametrization: str = "pixel") -> str:
        is_pixel = parametrization == "pixel"
        if self.name == "normalized_gradient":
            moved = "x − η ∇L / (‖∇L‖₂ + 1e-10)"
            step = f"x ← clamp({moved}, 0, 1)" if is_pixel else f"θ ← {moved.replace('x', 'θ', 1)}"
            return f"{step}, η = {self._rate()}"
        clamped = "; x clamped to [0, 1] after every step" if is_pixel else ""
        return f"{self._method()}{'' if is_pixel else ' on θ'}, learning rate {self._rate()}{clamped}"

    def _method(self) -> str:
        if self.name == "lbfgs":
            return f"L-BFGS of each image (history {self.history}, no line search)"
        return "Adam (betas 0.9, 0.99)"

    def _rate(self) -> str:
        falling = {
            "constant": "",
            "cosine": " falling to 0 by a cosine",
            "halving": f", halved from each of {self.blocks} blocks to the next",
        }
        return f"{self.learning_rate:g}{falling[str(self.schedule)]}"


_RATES = {"adam": (0.07, "cosine"), "normalized_gradient": (1.0, "constant"), "lbfgs": (1.0, "constant")}


@dataclass(frozen=True)
class Start:
    """The rule that makes the start image x_0 from the RNG seed; z ~ N(0, 1) per pixel and channel.

    `natural`: another image of the set, by `choice`: of a random other class, or the nearest or farthest in
    pixels. `target_noise`: the target with noise of standard deviation `scale` (0.2 unless given).
    The start image is always clamped to [0, 1] and rounded to 8 bits: what is shown is what the descent
    left from.
    """

    rule: str = "unit_noise"
    choice: str | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        choice("start.rule", self.rule, START_RULES)
        if self.rule == "natural":
            object.__setattr__(self, "choice", "other_class" if self.choice is None else self.choice)
            choice("start.choice", self.choice, CHOICES)
        else:
            absent("start.choice", self.choice, self.rule)
        if self.rule == "target_noise":
            scale = 0.2 if self.scale is None else self.scale
            object.__setattr__(self, "scale", number("start.scale", scale, 1e-3, 10.0))
        else:
            absent("start.scale", self.scale, self.rule)

    def formula(self) -> str:
        if self.rule == "natural":
            return _CHOICE_FORMULAS[str(self.choice)]
        if self.rule == "target_noise":
            return f"clamp(x_t + {self.scale:g} z, 0, 1), z ~ N(0, 1)"
        return _START_FORMULAS[self.rule]


_START_FORMULAS = {
    "unit_noise": "clamp(z, 0, 1), z ~ N(0, 1)",
    "light_noise": "clamp(0.01 z, 0, 1), z ~ N(0, 1)",
    "grey_noise": "clamp(0.5 + z / 20, 0, 1), z ~ N(0, 1)",
    "black": "0",
    "white": "1",
}
_CHOICE_FORMULAS = {
    "other_class": "a random image of the set, of another class than x_t's",
    "nearest": "the image of the set nearest to x_t in pixels (L2), other than x_t",
    "farthest": "the image of the set farthest from x_t in pixels (L2)",
}


# Of a null distribution these are stored (nulls.PROBABILITIES).
NULL_QUANTILES = (0.9, 0.95, 0.975, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Passing:
    """When an IRI counts as a match, judged on the decoded 8-bit PNG (Feather et al. 2023).

    `null_quantile`: the quantile of random pairs of natural images that the IRI must beat on each measure at
    the layer; None compares with no pairs.
    `max_relative_error`: largest relative L2 error at the layer; None sets no limit of its own.
    `same_label`: whether the network must give the IRI the label that it gives the target.
    """

    max_relative_error: float | None = None
    same_label: bool = True
    null_quantile: float | None = 0.99

    def __post_init__(self) -> None:
        if self.max_relative_error is not None:
            limit = number("passing.max_relative_error", self.max_relative_error, 0.0, 1e6)
            object.__setattr__(self, "max_relative_error", limit)
        choice("passing.same_label", self.same_label, (False, True))
        choice("passing.null_quantile", self.null_quantile, (None, *NULL_QUANTILES))

    def formula(self) -> str:
        parts = []
        if self.null_quantile is not None:
            share = f"{100 * self.null_quantile:g} %"
            parts.append(f"closer to x_t on each measure than {share} of pairs of natural images")
        if self.max_relative_error is not None:
            parts.append(f"relative error ≤ {self.max_relative_error:g}")
        if self.same_label:
            parts.append("the network's label is the target's")
        return f"on the 8-bit image {', '.join(parts)}" if parts else "always"
