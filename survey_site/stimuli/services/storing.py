"""The image store may be full or away; whatever its backend raises then is StoreTrouble."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

logger = logging.getLogger(__name__)
PROBE = "probes"


class StoreTrouble(Exception):
    """The image store took or gave nothing; the message says why. It may pass."""


@contextmanager
def storing() -> Iterator[None]:
    """What the store raises inside becomes StoreTrouble."""
    try:
        yield
    except StoreTrouble:
        raise
    except Exception as error:  # each backend has its own: OSError, botocore's, an SDK's
        raise StoreTrouble(f"the image store: {error or type(error).__name__}") from error


def store_trouble() -> str:
    """Why the image store cannot be used now, empty where it can: a small file is written, read, removed."""
    said = uuid.uuid4().hex.encode()
    try:
        with storing():
            name = default_storage.save(f"{PROBE}/{said.decode()}", ContentFile(said))
            with default_storage.open(name) as file:
                heard = file.read()
            default_storage.delete(name)
    except StoreTrouble as trouble:
        return str(trouble)
    return "" if heard == said else "the image store: it gave back other bytes than it was given"
