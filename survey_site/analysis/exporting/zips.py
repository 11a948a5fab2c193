"""ZIP files that are sent while they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZIP_STORED

from zipstream import ZipStream

Member = tuple[str, "bytes | Iterable[bytes]"]


def zipped(members: Iterable[Member], *, deflated: bool) -> Iterator[bytes]:
    """The archive of the members, each taken when its turn comes. Images gain nothing by being deflated."""
    archive = ZipStream(compress_type=ZIP_DEFLATED if deflated else ZIP_STORED)
    for name, content in members:
        archive.add(content, name)
        yield from archive.file()
    yield from archive.finalize()
