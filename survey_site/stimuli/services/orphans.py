"""What a crash left in the image store: files that no row points to, image rows that nothing points to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from survey_site.stimuli.models import IRIChunk, Network, StoredImage, UploadedArchive
from survey_site.stimuli.services.images import image_lock
from survey_site.stimuli.services.locks import wait_for_turn

IMAGES, CHECKPOINTS, WEIGHTS, PROBES = "images", "checkpoints", "weights", "probes"
UPLOADS = "uploads"


@dataclass
class Orphans:
    """Names of files, and image rows, that nothing points to."""

    files: list[str] = field(default_factory=list)
    rows: list[StoredImage] = field(default_factory=list)


def find_orphans(*, older_than: timedelta) -> Orphans:
    """Everything that nothing points to and that is older: what is under way just now is left alone."""
    before = timezone.now() - older_than
    return Orphans(
        files=[name for name in _all_files() if _is_orphan(name) and _is_older(name, before)],
        rows=list(_unused_rows(older_than)),
    )


def remove_orphans(*, older_than: timedelta) -> Orphans:
    """Remove them, rows before files; each is looked at again under its lock. What was removed."""
    found = find_orphans(older_than=older_than)
    rows = [row for row in found.rows if _remove_row(row)]
    files = {*found.files, *(str(row.file.name) for row in rows)}
    return Orphans(files=sorted(name for name in files if _remove_file(name)), rows=rows)


def _all_files() -> Iterator[str]:
    for folder in (IMAGES, CHECKPOINTS, WEIGHTS, PROBES, UPLOADS):
        yield from _files_in(folder)


def _files_in(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored there
        return
    yield from (f"{folder}/{name}" for name in files)
    for name in folders:
        yield from _files_in(f"{folder}/{name}")


_POINTED_AT: dict[str, Callable[[str], bool]] = {
    IMAGES: lambda name: StoredImage.objects.filter(file=name).exists(),
    CHECKPOINTS: lambda name: IRIChunk.objects.filter(checkpoint=name).exists(),
    WEIGHTS: lambda name: Network.objects.filter(weights=name).exists(),
    PROBES: lambda name: False,
    UPLOADS: lambda name: UploadedArchive.objects.filter(file=name).exists(),
}


def _is_orphan(name: str) -> bool:
    return not _POINTED_AT[PurePosixPath(name).parts[0]](name)


def _is_older(name: str, before: datetime) -> bool:
    try:
        return default_storage.get_modified_time(name) < before
    except FileNotFoundError:  # somebody removed it meanwhile
        return False


def _unused_rows(older_than: timedelta) -> QuerySet[StoredImage]:
    """Rows that no foreign key of any room points to."""
    rows = StoredImage.objects.filter(created_at__lt=Now() - older_than)
    for relation in StoredImage._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete and relation.remote_field:
            name = relation.remote_field.name
            model: Any = relation.related_model
            users = model._default_manager.filter(**{f"{name}__isnull": False})
            rows = rows.exclude(pk__in=users.values(name))
    return rows


def _remove_row(row: StoredImage) -> bool:
    try:
        with transaction.atomic():
            wait_for_turn(image_lock(row.sha256))
            row.delete()
    except IntegrityError:  # something points to it since
        return False
    return True


@transaction.atomic
def _remove_file(name: str) -> bool:
    """Under the lock of its hash, so that nobody makes a row for it while it goes."""
    wait_for_turn(image_lock(PurePosixPath(name).stem))
    if not _is_orphan(name):
        return False
    default_storage.delete(name)
    return True
