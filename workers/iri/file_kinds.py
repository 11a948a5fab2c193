"""What a file is that was meant to hold weights, told from its first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

_LOOKED_AT = 512
_ZIP = b"PK\x03\x04"
# Of pickles, as torch wrote before its files were zips.
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_OTHERS = (
    (b"version https://git-lfs", "a Git LFS pointer, which stands for a file that was not fetched"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89HDF", "an HDF5 file, as Keras writes"),
    (b"\x1f\x8b", "a gzip archive, which has to be unpacked"),
)
_WEB_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def other_kind(path: Path) -> str:
    """What the file plainly is instead of a file of weights; empty where nothing speaks against it."""
    start = _start(path)
    if not start:
        return "an empty file"
    if start.lstrip().lower().startswith(_WEB_PAGES):
        return "a web page"
    return next((kind for begins, kind in _OTHERS if start.startswith(begins)), "")


def looks_like_torch(path: Path) -> bool:
    """Whether the file begins as torch's files do: a zip, or before torch 1.6 a pickle."""
    return _start(path).startswith((_ZIP, *_PICKLES))


def is_torchscript(path: Path) -> bool:
    """Whether the file is a compiled program, as torch.jit.save writes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LOOKED_AT)
