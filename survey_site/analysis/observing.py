"""Asking simulated observers to judge a study, and what a worker that does so reads and writes.

Judgements follow from the images and the observer alone, so a worker that was thought lost and goes on writes
what its successor writes: rows are inserted once, and a lease only saves doing the work twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Prefetch
from django.db.models.functions import Now

from survey_site.access.models import User
from survey_site.access.services import record_event
from survey_site.analysis.observer_models import (
    LEASE,
    MOST_ATTEMPTS,
    Observation,
    ObservationState,
    ObservedCondition,
    ObserverJudgement,
)
from survey_site.analysis.observer_names import BUILT_IN, NETWORK, NetworkLayer, network_layer
from survey_site.stimuli.models import IRI, Layer, Network, NetworkState, Queue
from survey_site.stimuli.services import describe_missing_layer
from survey_site.stimuli.services.doorbell import ring_for, rings_under_way
from survey_site.studies.models import Condition, Study, TrialKind, TrialOption, TrialReference

OBSERVE = "workers.observe"


class ObserverRefused(Exception):
    """An observer that cannot be asked; the message names it and what is allowed."""


@dataclass(frozen=True)
class Judged:
    """One reference as an observer judged it: distances by option, and the places of the nearest ones."""

    reference: TrialReference
    options: Sequence[TrialOption]
    distances: Sequence[float]
    nearest: Sequence[int]
    credit: float | None


@transaction.atomic
def request_observations(
    *, study: Study, observers: Iterable[str], queue: str = Queue.CPU, by: User | None = None
) -> list[Observation]:
    """Ask workers to judge all main trials of the study's versions; what is judged already is kept.

    Names as in `observer_names`. Raises ObserverRefused, and asks nobody, for an unknown name, a network or
    layer that is not there or not ready, and a study that never opened: it has no trials.
    """
    names = list(dict.fromkeys(observers))
    if not names:
        raise ObserverRefused(f"no observer is named; allowed: {_allowed()}")
    if not study.versions.exists():
        raise ObserverRefused(f"study {study.slug!r} never opened, so it has no trials to judge")
    layers = {name: _layer(name) for name in names}
    asked = [_ask(study, name, layer, queue, by) for name, layer in layers.items()]
    record_event(user=by, action="ask observers", subject=study, detail={"observers": names})
    ring_for(OBSERVE, queue, times=len(asked))
    return asked


def _ask(study: Study, name: str, layer: Layer | None, queue: str, by: User | None) -> Observation:
    asked, _ = Observation.objects.update_or_create(
        study=study,
        observer=name,
        defaults={
            "layer": layer,
            "queue": queue,
            "state": ObservationState.WAITING,
            "reason": "",
            "attempts": 0,
            "lease_until": None,
            "finished_at": None,
            "requested_by_id": by.pk if by else None,
        },
    )
    return asked


def _layer(name: str) -> Layer | None:
    """The layer that a network observer names; None for a built-in one."""
    named = network_layer(name)
    if named is None:
        if name not in BUILT_IN:
            raise ObserverRefused(f"there is no observer {name!r}; allowed: {_allowed()}")
        return None
    return _found(named)


def _found(named: NetworkLayer) -> Layer:
    network = Network.objects.filter(slug=named.network).first()
    if network is None:
        known = ", ".join(Network.objects.values_list("slug", flat=True)) or "none yet"
        raise ObserverRefused(f"there is no network {named.network!r}; there are: {known}")
    if network.state != NetworkState.READY:
        raise ObserverRefused(f"network {network.slug!r} is not ready: {network.state}")
    layer = network.layers.filter(name=named.layer).first()
    if layer is None:
        raise ObserverRefused(describe_missing_layer(network, named.layer))
    return layer


def _allowed() -> str:
    return f"{', '.join(BUILT_IN)}, or {NETWORK}SLUG:LAYER"


@transaction.atomic
def claim_observation(*, queue: str) -> Observation | None:
    """The oldest observation that waits on the queue, now under a lease; None if none does."""
    found = (
        Observation.objects.claimable()
        .filter(queue=queue)
        .order_by("requested_at", "pk")
        .select_for_update(skip_locked=True, of=("self",))
        .first()
    )
    if found is None:
        return None
    Observation.objects.filter(pk=found.pk).update(
        state=ObservationState.RUNNING, lease_until=Now() + LEASE, attempts=F("attempts") + 1
    )
    return Observation.objects.select_related("study", "layer__network").get(pk=found.pk)


def keep_lease(observation: Observation) -> None:
    """The worker lives."""
    Observation.objects.filter(pk=observation.pk, state=ObservationState.RUNNING).update(
        lease_until=Now() + LEASE
    )


def unjudged(observation: Observation, *, version: str, weights_sha256: str) -> list[TrialReference]:
    """References of main trials that this observer, of this version and weights, has not judged yet.

    With their images, and with their trials' options in order as `trial.options.all()`.
    """
    judged = ObserverJudgement.objects.filter(
        observer=observation.observer, version=version, weights_sha256=weights_sha256
    )
    options = TrialOption.objects.select_related("image").order_by("index")
    return list(
        TrialReference.objects.filter(trial__version__study=observation.study, trial__kind=TrialKind.MAIN)
        .exclude(pk__in=judged.values("reference"))
        .select_related("image", "trial")
        .prefetch_related(Prefetch("trial__options", queryset=options))
        .order_by("trial__version", "trial__number", "index")
    )


def record_judgements(
    observation: Observation, judged: Sequence[Judged], *, version: str, weights_sha256: str
) -> None:
    """Store them; those that somebody stored meanwhile stay as they are."""
    ObserverJudgement.objects.bulk_create(
        [
            ObserverJudgement(
                observer=observation.observer,
                version=version,
                weights_sha256=weights_sha256,
                trial_id=one.reference.trial_id,
                reference=one.reference,
                distances=[distance if math.isfinite(distance) else None for distance in one.distances],
                choice=one.options[one.nearest[0]] if len(one.nearest) == 1 else None,
                n_nearest=len(one.nearest),
                credit=one.credit,
            )
            for one in judged
        ],
        ignore_conflicts=True,
    )


def iris_by_condition(study: Study) -> dict[Condition, list[IRI]]:
    """The IRIs that main trials of any version show, by condition, with their images."""
    found: dict[Condition, list[IRI]] = {}
    for condition in study.conditions.order_by("slug"):
        iris = IRI.objects.done().filter(
            references__trial__condition=condition, references__trial__kind=TrialKind.MAIN
        )
        if shown := list(iris.with_images().distinct().order_by("target__name", "pk")):
            found[condition] = shown
    return found


def record_condition(
    observation: Observation,
    condition: Condition,
    distances: Sequence[tuple[IRI, float, float]],
    credits: Sequence[float | None],
    *,
    version: str,
    weights_sha256: str,
    transfer: dict[str, Any] | None,
) -> None:
    """What the observer makes of the condition's IRIs: distances to target and start image, and for each IRI
    1 (the target is nearer), 1/2 (a tie), 0 or None (undefined).
    """
    ObservedCondition.objects.update_or_create(
        observation=observation,
        condition=condition,
        defaults={
            "version": version,
            "weights_sha256": weights_sha256,
            "n_iris": sum(credit is not None for credit in credits),
            "n_nearer_target": sum(credit == 1 for credit in credits),
            "n_tied": sum(credit == 0.5 for credit in credits),
            "distances": [[str(iri.pk), _or_none(near), _or_none(far)] for iri, near, far in distances],
            "transfer": transfer,
        },
    )


def finish_observation(
    observation: Observation, *, version: str, weights_sha256: str, provenance: dict[str, Any]
) -> None:
    """Everything is judged."""
    Observation.objects.filter(pk=observation.pk).update(
        state=ObservationState.DONE,
        reason="",
        version=version,
        weights_sha256=weights_sha256,
        provenance=provenance,
        finished_at=Now(),
        lease_until=None,
    )


def fail_observation(observation: Observation, *, reason: str, can_pass: bool) -> None:
    """End the attempt: unavailable for this reason, or to be tried again where that may help."""
    again = can_pass and observation.attempts < MOST_ATTEMPTS
    Observation.objects.filter(pk=observation.pk).update(
        state=ObservationState.WAITING if again else ObservationState.UNAVAILABLE,
        reason=reason or "no reason given",
        finished_at=None if again else Now(),
        lease_until=None,
    )


def release_observation(observation: Observation) -> None:
    """Give it back, the attempt uncounted: a worker that shuts down."""
    Observation.objects.filter(pk=observation.pk, state=ObservationState.RUNNING).update(
        state=ObservationState.WAITING, attempts=F("attempts") - 1, lease_until=None
    )


def sweep_observations() -> int:
    """Ring again for observations that wait, and give up those whose workers were lost too often.

    Returns the rings sent: none behind as many messages as wait already.
    """
    Observation.objects.exhausted().update(
        state=ObservationState.UNAVAILABLE,
        reason=f"given up after {MOST_ATTEMPTS} attempts: each worker stopped without a word",
        finished_at=Now(),
    )
    rung = 0
    for queue in Queue.values:
        waiting = Observation.objects.claimable().filter(queue=queue).count()
        missing = waiting - rings_under_way(queue) if waiting else 0
        ring_for(OBSERVE, queue, times=missing)
        rung += max(0, missing)
    return rung


def _or_none(distance: float) -> float | None:
    return distance if math.isfinite(distance) else None
