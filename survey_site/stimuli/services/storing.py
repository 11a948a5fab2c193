"""The image store may be full or away; whatever its backend raises then is StoreTrouble."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from survey_site.stimuli.models import StoredImage

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
    """Why the image store cannot be used now, empty where it can: a small file is written, read, removed, and
    what was stored before is there. An unmounted folder takes new files all too gladly.
    """
    said = uuid.uuid4().hex.encode()
    try:
        with storing():
            name = default_storage.save(f"{PROBE}/{said.decode()}", ContentFile(said))
            with default_storage.open(name) as file:
                heard = file.read()
            default_storage.delete(name)
        check_store()
    except StoreTrouble as trouble:
        return str(trouble)
    return "" if heard == said else "the image store: it gave back other bytes than it was given"


def check_store() -> None:
    """Raises StoreTrouble for a store that has neither the first nor the last image that was stored."""
    ends = (StoredImage.objects.order_by(order).first() for order in ("created_at", "-created_at"))
    names = [str(image.file.name) for image in ends if image is not None]
    with storing():
        is_another = bool(names) and not any(map(default_storage.exists, names))
    if is_another:
        raise StoreTrouble(f"the image store: it lacks {names[0]}, which it was given; is it mounted?")
