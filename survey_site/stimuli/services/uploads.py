"""Uploads to an image set: each file comes in whole or not at all, and again does no harm."""

from __future__ import annotations

import hashlib
import time
from typing import IO
from zipfile import ZipFile

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from PIL import Image

from survey_site.access.models import User
from survey_site.access.services import record_event
from survey_site.stimuli.image_names import (
    fault_of_path,
    folder_of,
    is_system_file,
    labels_of_folders,
    name_of,
    shown_path,
)
from survey_site.stimuli.models import ImageSet
from survey_site.stimuli.services.archives import (
    ArchiveRefused,
    Entry,
    check_not_nested,
    entries,
    is_archive,
    opened,
    read_entry,
)
from survey_site.stimuli.services.images import ImageRefused, add_picture, clean_image
from survey_site.stimuli.services.storing import storing
from survey_site.stimuli.upload_models import ImageUpload, ImportedFile, Outcome, UploadedArchive

MOST_FOLDERS = 10_000


def start_upload(
    *, image_set: ImageSet, folders: list[str] | None = None, user: User | None = None
) -> ImageUpload:
    """An upload of files from these folders, which give the labels."""
    fine = [folder for folder in (folders or [])[:MOST_FOLDERS] if not folder or not fault_of_path(folder)]
    upload = ImageUpload.objects.create(
        image_set=image_set, created_by_id=user.pk if user else None, labels=labels_of_folders(fine)
    )
    record_event(user=user, action="upload images", subject=image_set, detail={"upload": str(upload.pk)})
    return upload


def import_file(*, upload: ImageUpload, path: str, file: IO[bytes], size: int) -> ImportedFile | None:
    """What came of this file; None for a ZIP, which waits to be read, and for what systems leave behind.

    Raises StoreTrouble where the image store takes nothing now: the same call later goes on.
    """
    if is_system_file(path):
        return None
    if fault := fault_of_path(path):
        return refuse_file(upload=upload, path=path, reason=fault)
    file.seek(0)
    if is_archive(file.read(4)):
        return _keep_archive(upload, path, file)
    if size > settings.IMAGE_MAX_BYTES:
        return refuse_file(
            upload=upload, path=path, reason=f"{size:,} bytes; at most {settings.IMAGE_MAX_BYTES:,} are taken"
        )
    file.seek(0)
    return _import_bytes(upload, path, file.read(), upload.labels.get(folder_of(path), ""))


def _keep_archive(upload: ImageUpload, path: str, file: IO[bytes]) -> ImportedFile | None:
    try:
        with opened(file) as archive:
            n_entries = len(entries(archive))
        if not n_entries:
            raise ArchiveRefused("an archive without files")
    except ArchiveRefused as refusal:
        return refuse_file(upload=upload, path=path, reason=str(refusal))
    kept = UploadedArchive(upload=upload, name=path, n_entries=n_entries)
    file.seek(0)
    with storing():
        kept.file.save(name_of(path), File(file), save=False)
    kept.save()
    return None


def continue_upload(*, upload: ImageUpload, seconds: float = 5.0) -> tuple[int, int]:
    """Read waiting archives for about so long, one entry at least. Entries read, and entries in all."""
    until = time.monotonic() + seconds
    for waiting in upload.archives.unread():
        _read(waiting, until)
        if time.monotonic() > until:
            break
    return progress_of(upload)


def progress_of(upload: ImageUpload) -> tuple[int, int]:
    """Entries of the upload's archives that were read, and all of them."""
    numbers = list(upload.archives.values_list("n_read", "n_entries"))
    return sum(read for read, _ in numbers), sum(n for _, n in numbers)


def _read(waiting: UploadedArchive, until: float) -> None:
    with storing():
        file = waiting.file.open("rb")
    with file:
        try:
            is_read = _read_entries(waiting, file, until)
        except ArchiveRefused as refusal:  # a limit was lowered since it was taken
            refuse_file(upload=waiting.upload, path=waiting.name, reason=str(refusal))
            is_read = True
    if is_read:
        discard_archive(waiting)


def _read_entries(waiting: UploadedArchive, file: IO[bytes], until: float) -> bool:
    """Whether the last one is read."""
    with opened(file) as archive:
        found = entries(archive)
        for number in range(waiting.n_read, len(found)):
            _import_entry(waiting.upload, archive, found[number])
            # Of two tabs that read the same archive, the one further on counts.
            UploadedArchive.objects.filter(pk=waiting.pk).update(n_read=Greatest(F("n_read"), number + 1))
            if time.monotonic() > until:
                return number + 1 == len(found)
    return True


def _import_entry(upload: ImageUpload, archive: ZipFile, entry: Entry) -> None:
    try:
        data = b"" if entry.fault else read_entry(archive, entry)
    except ArchiveRefused as refusal:
        refuse_file(upload=upload, path=entry.path, reason=str(refusal))
        return
    if entry.fault:
        refuse_file(upload=upload, path=entry.path, reason=entry.fault)
    else:
        _import_bytes(upload, entry.path, data, entry.label)


def discard_archive(archive: UploadedArchive) -> None:
    """Its file goes; what was read of it stays, and the rest is not read any more."""
    with storing():
        if archive.file:
            archive.file.delete(save=False)
    UploadedArchive.objects.filter(pk=archive.pk).update(file="", n_entries=F("n_read"))


def _import_bytes(upload: ImageUpload, path: str, data: bytes, label: str) -> ImportedFile:
    sha256 = hashlib.sha256(data).hexdigest()
    if known := upload.files.filter(path=path, sha256=sha256).first():
        return known
    try:
        check_not_nested(data)
        picture = clean_image(data)
    except (ImageRefused, ArchiveRefused) as refusal:
        return refuse_file(upload=upload, path=path, reason=str(refusal), sha256=sha256)
    return _add(upload, path, sha256, picture, label)


@transaction.atomic
def _add(upload: ImageUpload, path: str, sha256: str, picture: Image.Image, label: str) -> ImportedFile:
    """Target and report are one write: whoever finds the one finds the other."""
    target, is_new = add_picture(image_set=upload.image_set, picture=picture, name=name_of(path), label=label)
    row, _ = ImportedFile.objects.get_or_create(
        upload=upload,
        path=path,
        sha256=sha256,
        defaults={"outcome": Outcome.ADDED if is_new else Outcome.DUPLICATE, "target": target},
    )
    return row


def refuse_file(*, upload: ImageUpload, path: str, reason: str, sha256: str = "") -> ImportedFile:
    """Note in the report that this file isn't taken, and why."""
    row, _ = ImportedFile.objects.get_or_create(
        upload=upload,
        path=shown_path(path),
        sha256=sha256,
        defaults={"outcome": Outcome.REFUSED, "reason": reason},
    )
    return row
