"""How far a chunk's search is, in a file of the image store, so that a successor goes on from there."""

from __future__ import annotations

import contextlib
import uuid
from functools import partial
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from survey_site.stimuli.models import IRIChunk
from survey_site.stimuli.services.storing import StoreTrouble, storing

FOLDER = "checkpoints"


def write_checkpoint_file(prefix: str, data: bytes) -> str:
    """The stored file's name: one that no other attempt writes to. Raises StoreTrouble."""
    with storing():
        return default_storage.save(f"{FOLDER}/{prefix}-{uuid.uuid4().hex}.pt", ContentFile(data))


def read_checkpoint(chunk: IRIChunk) -> bytes | None:
    """The bytes of the last checkpoint, or None where there is none. Raises StoreTrouble."""
    if not chunk.checkpoint:
        return None
    with storing(), chunk.checkpoint.open("rb") as file:
        return bytes(file.read())


def discard_after_commit(file: Any) -> None:
    """Remove a checkpoint that nothing points at once this is committed; one left behind is an orphan."""
    if file:
        transaction.on_commit(partial(discard, file.name))


def discard(name: str) -> None:
    with contextlib.suppress(StoreTrouble), storing():
        default_storage.delete(name)
