"""What the results page needs to ask simulated observers, and to say how far they are."""

from __future__ import annotations

from typing import Any

from survey_site.access.roles import Role, may
from survey_site.analysis.models import ObservationState
from survey_site.analysis.observer_names import BUILT_IN, NetworkLayer, label
from survey_site.stimuli.models import Layer, Network, NetworkState
from survey_site.studies.models import Study


def observer_form(study: Study, user: Any) -> dict[str, Any]:
    """Names with labels, the main layers of the networks that `user` may see, and whether they may ask."""
    asked = set(study.observations.values_list("observer", flat=True))
    return {
        "may_ask": study.versions.exists() and may(user, Role.ANALYST, study),
        "built_in": [(name, text, name in asked) for name, text in BUILT_IN.items()],
        "layers": _main_layers(user),
    }


def observer_states(study: Study) -> list[tuple[str, str, str]]:
    """Label, state and reason of every observer that has not come to an end, or is unavailable."""
    unfinished = study.observations.exclude(state=ObservationState.DONE)
    return [(label(one.observer), one.get_state_display(), one.reason) for one in unfinished]


def _main_layers(user: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """By network: the name as an observer and the layer's own, of pooled features, logits and blocks."""
    networks = Network.objects.visible_to(user).filter(state=NetworkState.READY)
    layers = Layer.objects.filter(network__in=networks).exclude(role="").select_related("network")
    found: dict[str, list[tuple[str, str]]] = {}
    for layer in layers:
        name = NetworkLayer(layer.network.slug, layer.name).name
        found.setdefault(layer.network.name, []).append((name, layer.name))
    return list(found.items())
