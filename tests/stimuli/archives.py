"""ZIPs as people and attackers make them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping


def zipped(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def with_entry(name: str, data: bytes, *, mode: int = 0o100644, beside: Mapping[str, bytes]) -> bytes:
    """A ZIP with one entry of this name and Unix mode, beside good ones."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, bytes_of_it in beside.items():
            archive.writestr(other, bytes_of_it)
        info = zipfile.ZipInfo("replaced")
        info.external_attr = mode << 16
        info.filename = name  # past the constructor, which cuts names at a NUL
        archive.writestr(info, data)
    return buffer.getvalue()


def encrypted(files: Mapping[str, bytes]) -> bytes:
    """A ZIP that says of its entries that they are encrypted."""
    data = bytearray(zipped(files))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + place] |= 1
            at = data.find(signature, at + 4)
    return bytes(data)


def sharing_bytes(data: bytes, times: int) -> bytes:
    """A ZIP whose entries all point at the same bytes (Fifield's bomb: small, flat, and endless)."""
    one = zipped({"0000.png": data}, compression=zipfile.ZIP_STORED)
    start = one.index(b"PK\x01\x02")
    end = one.index(b"PK\x05\x06")
    line = one[start:end]
    lines = b"".join(line.replace(b"0000.png", b"%04d.png" % number) for number in range(times))
    tail = bytearray(one[end:])
    tail[8:10] = tail[10:12] = times.to_bytes(2, "little")
    tail[12:16] = len(lines).to_bytes(4, "little")
    return one[:start] + lines + bytes(tail)
