"""What conditions are called where people read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from survey_site.studies.models import Condition, Shows

#: What may tell two conditions of one pair apart; named only where a study's conditions differ in it.
DIFFERENCES: tuple[Callable[[Condition], str], ...] = (
    lambda condition: condition.recipe.name,
    lambda condition: condition.image_set.name,
    lambda condition: condition.get_format_display().lower(),
    lambda condition: f"{condition.n_options} options",
    lambda condition: f"IRI seed {condition.iri_seed}",
)
CONTROLS = {Shows.TARGET: "target shown (control)", Shows.START: "start image shown (control)"}


def condition_labels(conditions: Sequence[Condition]) -> dict[str, str]:
    """By slug: network and layer, and whatever else differs among `conditions`; no two are the same."""
    telling = [part for part in DIFFERENCES if len({part(condition) for condition in conditions}) > 1]
    labels = {condition.slug: _label(condition, telling) for condition in conditions}
    counts = Counter(labels.values())
    return {slug: label if counts[label] == 1 else f"{label} ({slug})" for slug, label in labels.items()}


def _label(condition: Condition, telling: Sequence[Callable[[Condition], str]]) -> str:
    parts = [condition.layer.network.name, condition.layer.name]
    control = CONTROLS.get(Shows(condition.shows))
    return " · ".join([*parts, *(part(condition) for part in telling), *([control] if control else [])])
