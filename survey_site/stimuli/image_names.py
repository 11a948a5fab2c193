"""Paths of files that somebody hands in: which are taken, how odd ones are shown, which labels they give."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import takewhile
from pathlib import PurePosixPath

LONGEST_PATH = 400
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
)
# Parts of a data set, which are no classes.
PARTS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
# What systems leave beside people's files.
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
# Characters that nobody sees, or that turn the text around them: names that look like other names.
DECEPTIVE = frozenset(map(chr, [0x200B, 0x200E, 0x200F, 0x2028, 0x2029, 0x2060, 0xFEFF])) | frozenset(
    chr(code) for start, end in ((0x202A, 0x202E), (0x2066, 0x2069)) for code in range(start, end + 1)
)


def is_system_file(path: str) -> bool:
    """.DS_Store, Thumbs.db, __MACOSX/... and hidden files, which nobody means to hand in."""
    parts = [part for part in path.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part.lower() in SYSTEM_FILES for part in parts)


def is_image_name(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES


def fault_of_path(path: str) -> str:
    """Why a file of this path is not taken; empty where it is."""
    if len(path) > LONGEST_PATH:
        return f"its path has {len(path):,} characters; at most {LONGEST_PATH} are taken"
    odd = next((letter for letter in path if _is_odd(letter)), None)
    if odd is not None:
        return f"its name has the character U+{ord(odd):04X}, which cannot be seen or misleads; rename it"
    if path.startswith("/") or path[1:2] == ":":
        return "an absolute path; allowed: a path inside the folder or archive"
    if "\\" in path:
        return "a path with a backslash; allowed: folders parted by /"
    parts = path.split("/")
    if ".." in parts:
        return "a path that leads out of its folder (..); allowed: a path inside the folder or archive"
    return "" if all(part.strip() for part in parts) else "an empty name; allowed: folder/name"


def _is_odd(letter: str) -> bool:
    return letter in DECEPTIVE or unicodedata.category(letter) in ("Cc", "Cs", "Co")


def shown_path(path: str) -> str:
    """The path as a page or a database can hold it: odd characters as U+XXXX, cut where it's too long."""
    text = "".join(f"<U+{ord(letter):04X}>" if _is_odd(letter) else letter for letter in path)
    return text if len(text) <= LONGEST_PATH else f"{text[: LONGEST_PATH - 1]}…"


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def labels_of_folders(folders: Iterable[str]) -> dict[str, str]:
    """The label of the images in each folder: its class, as torchvision's ImageFolder has it.

    What all folders share is left out, and so are parts of a data set such as train and val. Images that all
    lie in one folder have no label: it would tell none of them from another.

    >>> labels_of_folders(["photos/cat", "photos/dog/small", "photos"])
    {'photos/cat': 'cat', 'photos/dog/small': 'dog', 'photos': ''}
    """
    parts = {folder: _parts(folder) for folder in dict.fromkeys(folders)}
    levels = zip(*parts.values(), strict=False)
    shared = sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, levels))
    rest = {folder: path[shared:] for folder, path in parts.items()}
    if all(path and path[0].lower() in PARTS for path in rest.values()):
        rest = {folder: path[1:] for folder, path in rest.items()}
    return {folder: as_label(path[0]) if path else "" for folder, path in rest.items()}


def _parts(folder: str) -> list[str]:
    return [part for part in folder.split("/") if part not in ("", ".")]


def as_label(text: str) -> str:
    """Without odd characters, in one spelling: a Mac writes é as two characters, other systems as one."""
    plain = "".join(letter for letter in text if not _is_odd(letter))
    return unicodedata.normalize("NFC", plain).strip()[:120]
