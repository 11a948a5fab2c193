"""The task of simulated observers: from a claimed observation to stored judgements, or to a reason."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

import torch
from celery import shared_task
from torch import Tensor

from survey_site.analysis import observing
from survey_site.analysis.models import Observation
from survey_site.stimuli.models import IRI, Network, StoredImage
from survey_site.studies.models import Condition, TrialReference
from workers import tasks
from workers.attempts import shutting_down
from workers.iri.images import from_png
from workers.iri.networks import BuiltNetwork, build
from workers.iri.provenance import provenance
from workers.observers.catalogue import load_observer
from workers.observers.judging import Judgement, judge, judge_odd_one
from workers.observers.layers import LayerResponses, layer_observer
from workers.observers.observer import Observer
from workers.observers.pairs import Pair, distances_of
from workers.observers.transfer import transfer

logger = logging.getLogger(__name__)

REFERENCES_AT_ONCE = 32
IMAGES_KEPT = 64


class ShuttingDown(Exception):
    """The worker was asked to end."""


@shared_task(name="workers.observe")
def observe(queue: str) -> None:
    """Claim the oldest waiting observation of the queue and judge what is not judged; no work is no error."""
    observation = observing.claim_observation(queue=queue)
    if observation is None:
        return
    logger.info("%s: attempt %s", observation, observation.attempts)
    try:
        _Session(observation).judge_all()
    except ShuttingDown:
        observing.release_observation(observation)
    except (ValueError, LookupError) as refusal:  # what no other attempt would change
        logger.warning("%s: %s", observation, refusal)
        observing.fail_observation(observation, reason=str(refusal), can_pass=False)
    except Exception:
        logger.exception("%s failed", observation)
        observing.fail_observation(observation, reason=traceback.format_exc(), can_pass=True)


@lru_cache(maxsize=1)
def _network(network_id: int) -> BuiltNetwork:
    """Networks are immutable once they have IRIs; one at a time is asked."""
    return build(tasks.spec_of(Network.objects.get(pk=network_id)))


class _Session:
    """One observer at work on one study."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._device = torch.device(tasks.device())
        self._observer = self._made()
        self._stamp = {
            "version": self._observer.version,
            "weights_sha256": self._observer.weights_sha256,
        }
        self._stored: dict[str, StoredImage] = {}
        self._load = lru_cache(maxsize=IMAGES_KEPT)(self._read)

    def _made(self) -> Observer:
        layer, name = self._observation.layer, self._observation.observer
        if layer is None:
            return load_observer(name, self._device)
        return layer_observer(_network(layer.network_id), layer.name, name=name, device=self._device)

    def judge_all(self) -> None:
        """Every reference that is not judged yet, then the IRIs of every condition."""
        waiting = observing.unjudged(self._observation, **self._stamp)
        for start in range(0, len(waiting), REFERENCES_AT_ONCE):
            judged = self._judged(waiting[start : start + REFERENCES_AT_ONCE])
            observing.record_judgements(self._observation, judged, **self._stamp)
        for condition, iris in observing.iris_by_condition(self._observation.study).items():
            self._observe_condition(condition, iris)
        observing.finish_observation(
            self._observation,
            **self._stamp,
            provenance={**provenance(str(self._device)), **self._observer.provenance},
        )

    def _judged(self, references: Sequence[TrialReference]) -> list[observing.Judged]:
        """References of trials whose options are images; labels are at no distance, whatever their icons."""
        shown = [(one, list(one.trial.options.all())) for one in references]
        shown = [
            (one, options)
            for one, options in shown
            if all(option.image and not option.label for option in options)
        ]
        compared = [
            _Compared(self._name(one.image), [self._name(option.image) for option in options])
            for one, options in shown
        ]
        distances = self._distances([pair for one in compared for pair in one.pairs])
        judged = []
        for (reference, options), one in zip(shown, compared, strict=True):
            made = one.judged(distances)
            answer = [option.pk for option in options].index(reference.answer_id)
            judged.append(
                observing.Judged(reference, options, made.distances, made.nearest, made.credit(answer))
            )
        return judged

    def _observe_condition(self, condition: Condition, iris: Sequence[IRI]) -> None:
        """How many IRIs are nearer to their target than to their start image; for a network, transfer too."""
        shown = [
            _Shown(self._name(iri.image), self._name(iri.target_resized), self._name(iri.start_image))
            for iri in iris
        ]
        found = self._distances([pair for one in shown for pair in one.pairs])
        near_and_far = [[found[pair] for pair in one.pairs] for one in shown]
        observing.record_condition(
            self._observation,
            condition,
            [(iri, near, far) for iri, (near, far) in zip(iris, near_and_far, strict=True)],
            [judge(both).credit(0) for both in near_and_far],
            transfer=self._transfer(shown),
            **self._stamp,
        )

    def _transfer(self, shown: Sequence[_Shown]) -> dict[str, Any] | None:
        """How alike a network's layer finds targets and IRIs; None for what is no network."""
        layer = self._observation.layer
        if layer is None:
            return None
        respond = LayerResponses(_network(layer.network_id), layer.name, self._device)
        by_name: dict[str, Tensor] = {}
        for name in dict.fromkeys(name for one in shown for name in one):
            by_name[name] = respond(self._load(name)[None]).cpu()
            self._tick()
        targets, iris, starts = (
            torch.cat([by_name[name] for name in names])
            for names in zip(*((one.target, one.iri, one.start) for one in shown), strict=True)
        )
        return asdict(transfer(targets, iris, starts))

    def _distances(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        return distances_of(self._observer, pairs, self._load, on_batch=self._tick)

    def _tick(self) -> None:
        if shutting_down.is_set():
            raise ShuttingDown
        observing.keep_lease(self._observation)

    def _name(self, image: StoredImage | None) -> str:
        """An image is called by its hash; empty where there is none."""
        if image is None:
            return ""
        self._stored[image.sha256] = image
        return image.sha256

    def _read(self, sha256: str) -> Tensor:
        with self._stored[sha256].file.open("rb") as file:
            return from_png(bytes(file.read()))


class _Shown(NamedTuple):
    """One IRI's images, by name."""

    iri: str
    target: str
    start: str

    @property
    def pairs(self) -> list[Pair]:
        return [(self.iri, self.target), (self.iri, self.start)]


class _Compared(NamedTuple):
    """A reference's image and its options', by name; without a reference the odd one out is asked for."""

    reference: str
    options: list[str]

    @property
    def pairs(self) -> list[Pair]:
        if self.reference:
            return [(self.reference, option) for option in self.options]
        return list(combinations(self.options, 2))

    def judged(self, distances: Mapping[Pair, float]) -> Judgement:
        found = [distances[pair] for pair in self.pairs]
        if self.reference:
            return judge(found)
        places = combinations(range(len(self.options)), 2)
        return judge_odd_one(dict(zip(places, found, strict=True)), len(self.options))
