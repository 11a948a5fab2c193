"""Images in: checked before they are decoded, stripped of everything but pixels, stored once."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from PIL import Image, ImageOps, UnidentifiedImageError

from survey_site.stimuli.models import ImageSet, StoredImage, TargetImage, stored_image_path
from survey_site.stimuli.services.locks import wait_for_turn
from survey_site.stimuli.services.storing import check_store, storing

ALLOWED_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
LONGEST_SIDE = 1024  # no network here reads more; larger uploads are scaled down
SHORTEST_SIDE = 32


class ImageRefused(Exception):
    """An image that is not taken; the message says why."""


@dataclass
class ImportReport:
    """What an import did: names added, names already there, and (name, reason) of the refused."""

    added: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def import_images(*, image_set: ImageSet, files: Iterable[tuple[str, bytes, str]]) -> ImportReport:
    """Add (name, bytes, label) files to the set. A bad one is refused by name and the rest goes on."""
    report = ImportReport()
    for name, data, label in files:
        try:
            picture = clean_image(data)
        except ImageRefused as refusal:
            report.refused.append((name, str(refusal)))
        else:
            _, is_new = add_picture(image_set=image_set, picture=picture, name=name, label=label)
            (report.added if is_new else report.duplicates).append(name)
    return report


@transaction.atomic
def add_picture(
    *, image_set: ImageSet, picture: Image.Image, name: str, label: str
) -> tuple[TargetImage, bool]:
    """The picture as a target of the set, and whether it is new there. Another's name and label stay."""
    stored = store_image(encode_png(picture), size=picture.size)
    return TargetImage.objects.get_or_create(
        image_set=image_set, image=stored, defaults={"name": name[:200], "label": label[:120]}
    )


def clean_image(data: bytes) -> Image.Image:
    """Decode to RGB, upright, without metadata, at most LONGEST_SIDE pixels a side.

    Raises ImageRefused for what is not an image, is too large before decoding, or is broken.
    """
    if len(data) > settings.IMAGE_MAX_BYTES:
        raise ImageRefused(f"{len(data):,} bytes; at most {settings.IMAGE_MAX_BYTES:,} are taken")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow reads past, such as broken tags
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decoded(data)
    except ImageRefused:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise ImageRefused(f"a decompression bomb: {bomb}") from None
    except UnidentifiedImageError:
        raise ImageRefused(f"not an image; taken are {', '.join(ALLOWED_FORMATS)}") from None
    except Exception as error:  # broken files make Pillow raise anything, down to struct.error and TypeError
        raise ImageRefused(f"a broken image: {error}") from None


def _decoded(data: bytes) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=ALLOWED_FORMATS) as picture:
        width, height = picture.size
        if width * height > settings.IMAGE_MAX_PIXELS:
            raise ImageRefused(
                f"a decompression bomb: {width} × {height} pixels; "
                f"at most {settings.IMAGE_MAX_PIXELS:,} are taken"
            )
        if min(width, height) < SHORTEST_SIDE:
            raise ImageRefused(
                f"{width} × {height} pixels; the shorter side must be at least {SHORTEST_SIDE}"
            )
        upright = _on_white(ImageOps.exif_transpose(picture))
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    # A new image carries no info dictionary: no EXIF, no ICC profile, no text chunks.
    bare = Image.new("RGB", upright.size)
    bare.paste(upright)
    return bare


def _on_white(picture: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white, and 16 bits become 8."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ImageRefused("pixels of 32 bits have no agreed white; save it with 8 or 16 bits a channel")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")


def encode_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


@transaction.atomic
def store_image(data: bytes, *, size: tuple[int, int]) -> StoredImage:
    """The row of these PNG bytes, made if there is none. The file is written before its row.

    Raises StoreTrouble where the image store does not take it, or is not the one of before.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    if known := StoredImage.objects.filter(sha256=sha256).first():
        return known
    wait_for_turn(image_lock(sha256))
    if made_meanwhile := StoredImage.objects.filter(sha256=sha256).first():
        return made_meanwhile
    width, height = size
    image = StoredImage(sha256=sha256, width=width, height=height)
    path = stored_image_path(image, "")
    with storing():
        if not default_storage.exists(path):
            default_storage.save(path, ContentFile(data))
    check_store()
    image.file.name = path
    image.save()
    return image


def image_lock(sha256: str) -> str:
    """Whoever makes or removes the image of this hash holds the lock of this name."""
    return f"image {sha256}"
