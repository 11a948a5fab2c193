"""Registering networks: the web stores what was asked for, a worker looks and reports."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.files.base import File
from django.db import IntegrityError, transaction

from survey_site.access.models import User
from survey_site.access.services import make_owner
from survey_site.stimuli.models import Layer, Network, NetworkSource, NetworkState, Worker
from survey_site.stimuli.services.doorbell import ring_for_inspection


class NetworkRefused(Exception):
    """A network that cannot be registered; the message says why."""


@dataclass(frozen=True)
class FoundLayer:
    """A layer that a worker found: name, depth in order of execution, output shape, role."""

    name: str
    depth: int
    output_shape: list[int]
    role: str


@transaction.atomic
def register_network(
    *,
    slug: str,
    name: str,
    source: str,
    architecture: str,
    pretrained: bool = False,
    random_seed: int | None = None,
    weights: File | None = None,
    created_by: User | None = None,
    **facts: Any,
) -> Network:
    """Store the network as pending and ask a worker to build it and list its layers."""
    if source not in NetworkSource.values:
        raise NetworkRefused(f"source is {source!r}; allowed: {', '.join(NetworkSource.values)}")
    given = [bool(weights), pretrained, random_seed is not None]
    if sum(given) != 1:
        raise NetworkRefused("give exactly one of: a weights file, pretrained weights, an RNG seed")
    for field in ("mean", "std"):
        check_channels(field, facts.get(field))
    if Network.objects.filter(slug=slug).exists():
        raise NetworkRefused(_taken(slug))
    check_buildable(source=source, architecture=architecture, pretrained=pretrained)
    network = Network(
        slug=slug,
        name=name or slug,
        source=source,
        architecture=architecture,
        pretrained=pretrained,
        random_seed=random_seed,
        **facts,
    )
    if weights:
        network.weights.save(weights.name or "weights", weights, save=False)
    try:
        with transaction.atomic():
            network.save()
    except IntegrityError:  # somebody else registered the slug since it was looked for
        raise NetworkRefused(_taken(slug)) from None
    make_owner(user=created_by, of=network)
    ring_for_inspection(network)
    return network


def check_channels(name: str, value: Any) -> None:
    """Raises NetworkRefused for a mean or std that is not three numbers, or a std with a zero."""
    if value in (None, ""):
        return
    is_triple = isinstance(value, list | tuple) and len(value) == 3
    if not is_triple or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        raise NetworkRefused(f"{name} is {value!r}; allowed: three numbers, one per channel")
    if name == "std" and not all(one > 0 for one in value):
        raise NetworkRefused(f"std is {value!r}; allowed: three numbers above 0")


def buildable() -> dict[str, dict[str, dict[str, Any]]]:
    """What the live workers announced that they can build: by source and architecture, how it is fed."""
    known: dict[str, dict[str, dict[str, Any]]] = {}
    for announced in (
        Worker.objects.alive().order_by("last_heartbeat").values_list("architectures", flat=True)
    ):
        for source, architectures in announced.items():
            known.setdefault(source, {}).update(architectures)
    return known


def check_buildable(*, source: str, architecture: str, pretrained: bool = False) -> None:
    """Raises NetworkRefused for what no live worker can build; with no worker alive, all may be asked for."""
    announced = buildable()
    if not announced:
        return
    known = announced.get(source)
    if not known:
        raise NetworkRefused(f"no worker can build networks of {source}; announced: {', '.join(announced)}")
    if architecture not in known:
        nearest = ", ".join(difflib.get_close_matches(architecture, known, n=3, cutoff=0.0))
        raise NetworkRefused(f"no worker can build {architecture!r} of {source}; nearest: {nearest}")
    if pretrained and not known[architecture].get("pretrained"):
        able = ", ".join(name for name, facts in known.items() if facts.get("pretrained")) or "none"
        raise NetworkRefused(
            f"no worker has weights of {architecture!r} in {source}; it has those of: {able}"
        )


def _taken(slug: str) -> str:
    return f"network {slug!r} exists already; other weights are another network"


@transaction.atomic
def record_inspection(
    *, network_id: int, layers: Iterable[FoundLayer], weights_sha256: str, facts: dict[str, Any]
) -> None:
    """The worker built it: note layers, hash and input facts, and that it is ready. Twice does no harm."""
    network = Network.objects.select_for_update().get(pk=network_id)
    if network.state != NetworkState.PENDING:
        return
    network.weights_sha256 = weights_sha256
    for name, value in facts.items():
        setattr(network, name, value)
    network.state, network.state_reason = NetworkState.READY, ""
    network.save()
    Layer.objects.bulk_create(
        [
            Layer(
                network=network,
                name=layer.name,
                depth=layer.depth,
                output_shape=layer.output_shape,
                role=layer.role,
            )
            for layer in layers
        ]
    )


def fail_inspection(*, network_id: int, reason: str) -> None:
    """The worker could not build it: note why."""
    Network.objects.filter(pk=network_id, state=NetworkState.PENDING).update(
        state=NetworkState.FAILED, state_reason=reason
    )


def describe_missing_layer(network: Network, name: str) -> str:
    """A message that names the nearest layers that there are."""
    names = list(network.layers.values_list("name", flat=True))
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.3) or names[-5:]
    return f"network {network.slug!r} has no layer {name!r}; nearest: {', '.join(near)}"
