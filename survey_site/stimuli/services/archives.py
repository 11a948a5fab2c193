"""ZIP archives of images: judged by their table of contents first, then read one entry at a time.

Nothing is ever unpacked to a disk, so an entry's path names nothing but a label and a row in a report.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from survey_site.stimuli.image_names import (
    fault_of_path,
    folder_of,
    is_image_name,
    is_system_file,
    labels_of_folders,
)

ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
# By their first bytes, and at which place. What is no image and no ZIP is refused as such anyway.
ARCHIVE_STARTS = (
    (0, b"PK\x03\x04"), (0, b"PK\x05\x06"), (0, b"Rar!"), (0, b"7z\xbc\xaf\x27\x1c"), (0, b"\x1f\x8b"),
    (0, b"BZh"), (0, b"\xfd7zXZ"), (0, b"\x28\xb5\x2f\xfd"), (257, b"ustar"),
)  # fmt: skip
# An entry's line in the table of contents is 46 bytes and its name; so many are read at once at most.
LONGEST_LINE = 512
IS_ENCRYPTED = 0x1 | 0x40
SMALL = 1_000_000  # what unpacks to less is no bomb, however well it was packed


class ArchiveRefused(Exception):
    """An archive, or an entry of one, that is not taken; the message says why."""


@dataclass(frozen=True)
class Entry:
    """A file of an archive, not read yet. `fault` says why it won't be; empty where it will."""

    path: str
    label: str
    fault: str
    info: zipfile.ZipInfo


def is_archive(start: bytes) -> bool:
    """Whether these first bytes are a ZIP's: names and media types say what their sender wants."""
    return start.startswith(ZIP_STARTS)


class _Bounded:
    """A file whose single reads are bounded, since zipfile reads a table of contents at once."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most

    def read(self, n: int = -1) -> bytes:
        data = self._file.read(self._most + 1 if n < 0 else min(n, self._most + 1))
        if len(data) > self._most:
            raise ArchiveRefused(
                f"its table of contents is larger than {self._most:,} bytes; at most "
                f"{settings.ARCHIVE_MAX_ENTRIES:,} entries are taken"
            )
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """The archive, whose table of contents was judged. Raises ArchiveRefused for one that isn't taken."""
    with _table_read(file) as archive:
        _judge(archive, size=file.seek(0, 2))
        yield archive


def _table_read(file: IO[bytes]) -> zipfile.ZipFile:
    file.seek(0)
    if not is_archive(file.read(4)):
        raise ArchiveRefused("not a ZIP archive")
    bounded: Any = _Bounded(file, LONGEST_LINE * settings.ARCHIVE_MAX_ENTRIES)
    try:
        return zipfile.ZipFile(bounded)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error) as error:
        raise ArchiveRefused(f"a broken archive: {error}") from None


def _judge(archive: zipfile.ZipFile, *, size: int) -> None:
    """Raises ArchiveRefused for too many entries, too much in them, or entries that share bytes."""
    infos = archive.infolist()
    if len(infos) > settings.ARCHIVE_MAX_ENTRIES:
        raise ArchiveRefused(
            f"{len(infos):,} entries; at most {settings.ARCHIVE_MAX_ENTRIES:,} are taken: part it"
        )
    unpacked = sum(info.file_size for info in infos)
    if unpacked > settings.ARCHIVE_MAX_UNPACKED_BYTES:
        raise ArchiveRefused(
            f"a decompression bomb: it unpacks to {unpacked:,} bytes; "
            f"at most {settings.ARCHIVE_MAX_UNPACKED_BYTES:,} are taken"
        )
    if unpacked > max(SMALL, size * settings.ARCHIVE_MAX_RATIO):
        raise ArchiveRefused(
            f"a decompression bomb: it unpacks to {unpacked // size:,} times its size; "
            f"at most {settings.ARCHIVE_MAX_RATIO} times is taken"
        )
    if sum(info.compress_size for info in infos) > size:
        raise ArchiveRefused("a decompression bomb: its entries share bytes")


def entries(archive: zipfile.ZipFile) -> list[Entry]:
    """The files of the archive with their labels, without folders and without what systems leave behind."""
    infos = [info for info in archive.infolist() if not info.is_dir() and not is_system_file(info.filename)]
    paths = [info.orig_filename for info in infos]
    meant = [path for path in paths if is_image_name(path) and not fault_of_path(path)]
    labels = labels_of_folders(map(folder_of, meant))
    times = Counter(paths)
    return [
        Entry(path, labels.get(folder_of(path), ""), _fault(info, times[path]), info)
        for path, info in zip(paths, infos, strict=True)
    ]


def _fault(info: zipfile.ZipInfo, times: int) -> str:
    if fault := fault_of_path(info.orig_filename):
        return fault
    if times > 1:
        return f"{times} entries have this path, so that it is unclear which is meant"
    if info.flag_bits & IS_ENCRYPTED:
        return "encrypted; save the archive without a password"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a device, a pipe or the like"
        return f"{what}; allowed: files"
    if info.file_size > settings.IMAGE_MAX_BYTES:
        return f"{info.file_size:,} bytes; at most {settings.IMAGE_MAX_BYTES:,} are taken"
    if info.file_size > max(SMALL, info.compress_size * settings.ARCHIVE_MAX_RATIO):
        return (
            f"a decompression bomb: it unpacks to {info.file_size // max(info.compress_size, 1):,} times "
            f"its size; at most {settings.ARCHIVE_MAX_RATIO} times is taken"
        )
    return ""


def read_entry(archive: zipfile.ZipFile, entry: Entry) -> bytes:
    """Its bytes, never more than an image may have. Raises ArchiveRefused where they can't be had."""
    try:
        with archive.open(entry.info) as file:
            data = file.read(settings.IMAGE_MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError) as error:
        raise ArchiveRefused(f"it cannot be unpacked: {error}") from None
    check_not_nested(data)
    return data


def check_not_nested(data: bytes) -> None:
    """Raises ArchiveRefused for an archive where an image is expected."""
    if any(data[place : place + len(start)] == start for place, start in ARCHIVE_STARTS):
        raise ArchiveRefused("an archive inside an archive; put the images themselves into it")
