"""The conditions of a study file: by slugs and hashes, found among what is here and shared."""

from __future__ import annotations

from typing import Any

from survey_site.access.models import User
from survey_site.stimuli.models import ImageSet, Layer, Network, Recipe
from survey_site.stimuli.services import describe_missing_layer
from survey_site.studies.file_checks import Faults, check_names, entries_of, shown, value_of
from survey_site.studies.formats import fault_of_options
from survey_site.studies.models import Condition, Study
from survey_site.studies.study_document import CONDITION_SETTINGS

NEEDED = ("network", "layer", "recipe", "image_set")
POINTERS = (*NEEDED, "weights_sha256")


class Shared:
    """Networks and image sets that the importer may use: what is shared with them, or was used before.

    Without an importer (a command) it is all there are.
    """

    def __init__(self, by: User | None, into: Study | None) -> None:
        self.networks = self._found(Network, "layers__conditions__study", by, into)
        self.image_sets = self._found(ImageSet, "conditions__study", by, into)

    def _found(self, model: Any, leads_to: str, by: User | None, into: Study | None) -> dict[str, Any]:
        rows = model.objects.all() if by is None else model.objects.visible_to(by)
        kept = model.objects.filter(**{leads_to: into}) if into else model.objects.none()
        return {row.slug: row for row in [*rows, *kept]}


def conditions_of(
    given: Any, recipes: dict[str, Recipe], shared: Shared, faults: Faults
) -> dict[str, dict[str, Any]]:
    found = {}
    for slug, entry in entries_of(given, "conditions", faults).items():
        path = f"conditions.{slug}"
        value_of(Condition._meta.get_field("slug"), slug, path, faults)
        wrong = check_names(
            entry,
            path,
            (*POINTERS, *CONDITION_SETTINGS),
            required=("network", "layer", "recipe", "image_set"),
        )
        if wrong:
            faults += wrong
            continue
        found[slug] = {
            **_pointers(entry, path, recipes, shared, faults),
            **_condition_settings(entry, path, faults),
        }
    return found


def _pointers(
    entry: dict[str, Any], path: str, recipes: dict[str, Recipe], shared: Shared, faults: Faults
) -> dict[str, Any]:
    sha256 = entry["recipe"]
    recipe = recipes.get(str(sha256)) or Recipe.objects.filter(sha256=str(sha256)).first()
    if recipe is None:
        faults.append(
            (f"{path}.recipe", f"is {shown(sha256)}; allowed: the sha256 of a recipe here or in recipes")
        )
    return {
        "layer": _layer(entry, path, shared, faults),
        "recipe": recipe,
        "image_set": _one_of(shared.image_sets, entry["image_set"], f"{path}.image_set", faults),
    }


def _layer(entry: dict[str, Any], path: str, shared: Shared, faults: Faults) -> Layer | None:
    network = _one_of(shared.networks, entry["network"], f"{path}.network", faults)
    if network is None:
        return None
    wanted = entry.get("weights_sha256", network.weights_sha256)
    if wanted != network.weights_sha256:
        faults.append(
            (
                f"{path}.weights_sha256",
                f"is {shown(wanted)}; network {network.slug} has {network.weights_sha256} here",
            )
        )
    layer: Layer | None = network.layers.filter(name=str(entry["layer"])).first()
    if layer is None:
        faults.append(
            (
                f"{path}.layer",
                f"is {shown(entry['layer'])}: {describe_missing_layer(network, str(entry['layer']))}",
            )
        )
    return layer


def _one_of(rows: dict[str, Any], slug: Any, path: str, faults: Faults) -> Any:
    row = rows.get(slug) if isinstance(slug, str) else None
    if row is None:
        known = ", ".join(sorted(rows)) or "none is here, or none is shared with you"
        faults.append((path, f"is {shown(slug)}; allowed: {known}"))
    return row


def _condition_settings(entry: dict[str, Any], path: str, faults: Faults) -> dict[str, Any]:
    values = {
        name: value_of(Condition._meta.get_field(name), entry[name], f"{path}.{name}", faults)
        if name in entry
        else getattr(Condition(), name)
        for name in CONDITION_SETTINGS
    }
    if not faults and (fault := fault_of_options(values["format"], values["n_options"])):
        faults.append((f"{path}.n_options", f"is {values['n_options']}: {fault}"))
    return values
