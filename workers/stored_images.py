"""Stored images as bytes and pixels; one that cannot be read says which it is."""

from __future__ import annotations

from torch import Tensor

from survey_site.stimuli import services
from survey_site.stimuli.models import StoredImage
from workers.iri.images import ImageError, fit


class UnreadableImage(ValueError):
    """This image's file is gone or no image, which another attempt would not change."""


def bytes_of(image: StoredImage) -> bytes:
    """The file. Raises StoreTrouble where the store does not give it."""
    with services.storing(), image.file.open("rb") as file:
        return bytes(file.read())


def pixels_of(image: StoredImage, size: int) -> Tensor:
    """float (3, size, size), 0 to 1. Raises UnreadableImage, or StoreTrouble where the store is away."""
    try:
        return fit(bytes_of(image), size)
    except ImageError as error:
        raise UnreadableImage(f"the file {image.file.name} is {error}") from error
    except services.StoreTrouble as trouble:
        if isinstance(trouble.__cause__, FileNotFoundError) and not services.store_trouble():
            raise UnreadableImage(f"the file {image.file.name} is gone from the image store") from trouble
        raise


def is_readable(image: StoredImage, size: int) -> bool:
    try:
        pixels_of(image, size)
    except UnreadableImage:
        return False
    return True
