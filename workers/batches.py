"""A chunk's images as one batch, whose membership outlives the worker.

How many images are searched for beside an image decides the last bits of what is found. So a chunk's batch is
all of its IRIs, those found already among them, unless a checkpoint says which they were; a successor goes on
from the checkpoint to the same bytes.
"""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from typing import Any

import torch

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, IRIChunk, IRIStatus

logger = logging.getLogger(__name__)
VERSION = 1


@dataclass(frozen=True)
class Batch:
    """The IRIs in the order of their places, and the state of the search where there is one to go on from."""

    iris: list[IRI]
    size: int
    state: dict[str, Any] | None

    @property
    def members(self) -> list[str]:
        return [str(iri.pk) for iri in self.iris]

    @property
    def n_missing(self) -> int:
        return sum(iri.status == IRIStatus.RUNNING for iri in self.iris)

    def without(self, left_out: set[int]) -> Batch:
        """The batch but for the IRIs at these places. Its search begins anew."""
        iris = [iri for place, iri in enumerate(self.iris) if place not in left_out]
        return Batch(iris, min(self.size, len(iris)), None)

    def to_checkpoint(self, state: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        content = {"version": VERSION, "members": self.members, "size": self.size, "search": state}
        torch.save(content, buffer)
        return buffer.getvalue()


def batch_of(chunk: IRIChunk) -> Batch:
    """The chunk's batch, as its checkpoint says or as it was queued."""
    checkpoint = _checkpoint(chunk)
    if checkpoint is not None:
        rows = IRI.objects.select_related("target__image").in_bulk(checkpoint["members"])
        by_id = {str(pk): iri for pk, iri in rows.items()}
        if set(checkpoint["members"]) == set(by_id):
            size = min(checkpoint["size"], chunk.batch_size or checkpoint["size"])
            iris = [by_id[member] for member in checkpoint["members"]]
            return Batch(iris, size, checkpoint["search"])
    iris = list(chunk.iris.select_related("target__image").order_by("pk"))
    return Batch(iris, min(len(iris), chunk.batch_size or len(iris)), None)


def _checkpoint(chunk: IRIChunk) -> dict[str, Any] | None:
    """What the last checkpoint holds; None, and a warning, where it can't be read: the search begins anew."""
    try:
        data = services.read_checkpoint(chunk)
    except services.StoreTrouble as trouble:
        if services.store_trouble():  # it is the store and not this file
            raise
        logger.warning("%s begins anew, its checkpoint is gone: %s", chunk, trouble)
        return None
    return None if data is None else _loaded(chunk, data)


def _loaded(chunk: IRIChunk, data: bytes) -> dict[str, Any] | None:
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if content["version"] != VERSION:
            raise ValueError(f"its version is {content['version']!r}; allowed: {VERSION}")
    except Exception as error:  # torch raises whatever a broken file leads to
        logger.warning("%s begins anew, its checkpoint cannot be read: %s", chunk, error)
        return None
    return dict(content)
