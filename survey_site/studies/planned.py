"""What a design is made from, and what it gives: conditions and items; trials and presentations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class DesignError(ValueError):
    """A plan that cannot be made; the message names what was asked for and what is allowed."""


@dataclass(frozen=True)
class Item:
    """One question's images by sha256: what is shown as reference, the target and the start image.

    `key` identifies the item within its condition, `label` names the target, `iri` is the IRI's id, if one
    is shown.
    """

    key: str
    reference: str
    target: str
    start: str
    label: str = ""
    iri: str | None = None


@dataclass(frozen=True)
class ConditionPlan:
    """A condition and its items; `icons` are images by label, for classification."""

    slug: str
    format: str
    items: tuple[Item, ...]
    n_options: int = 2
    foil_rule: str = "start"
    labels: tuple[str, ...] = ()
    icons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedOption:
    image: str | None
    label: str = ""


@dataclass(frozen=True)
class PlannedReference:
    """`answer` is the index of the option that answers it, `iri` the IRI that it asks about, if any."""

    image: str | None
    answer: int
    iri: str | None = None


@dataclass(frozen=True)
class PlannedTrial:
    format: str
    kind: str
    condition: str | None
    references: tuple[PlannedReference, ...]
    options: tuple[PlannedOption, ...]


@dataclass(frozen=True)
class PlannedPresentation:
    """`trial` is the trial's number in the plan, `option_order` option indices in the order shown.

    `repeat_of` is the place in the session of the presentation that this one repeats.
    """

    trial: int
    block: int
    option_order: tuple[int, ...]
    repeat_of: int | None = None
