"""Images between bytes and tensors. Every stimulus passes through `to_png`, so all share one encoder."""

import hashlib
import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

# Checked on the header, before any pixel is decoded; Pillow itself only warns far above this.
MOST_PIXELS = 50_000_000


class ImageError(ValueError):
    """Bytes that are no image, or one too large to decode."""


def quantize(images: Tensor) -> Tensor:
    """Images in [0, 1] as an 8-bit file can hold them: clamped, and rounded to multiples of 1/255.

    >>> quantize(torch.tensor([-1.0, 0.5, 2.0])) * 255
    tensor([  0., 128., 255.])
    """
    return images.clamp(0, 1).mul(255).round().div(255)


def to_png(image: Tensor) -> bytes:
    """An image (3, h, w) in [0, 1] as an 8-bit RGB PNG without metadata; the same pixels give the same bytes.

    Raises ImageError for another shape or for values that aren't finite.
    """
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else type(image).__name__
        raise ImageError(f"an image is a {kind}; allowed: a tensor of floating-point numbers from 0 to 1")
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ImageError(f"an image has shape {tuple(image.shape)}; allowed: (3, height, width)")
    if not torch.isfinite(image).all():
        raise ImageError("an image has values that are not finite; allowed: numbers from 0 to 1")
    pixels = image.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def from_png(data: bytes) -> Tensor:
    """The pixels of an image file as float32 (3, h, w) in [0, 1]. Raises ImageError where it isn't one."""
    return _to_tensor(_decode(data))


def fit(data: bytes, size: int) -> Tensor:
    """A stored image as float32 (3, size, size) in [0, 1]: centre square, antialiased resize, 8-bit values.

    Raises ImageError where the bytes are no image or too large a one.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ImageError(f"size is {size!r}; allowed: a whole number of pixels from 1")
    square = ImageOps.fit(_decode(data), (size, size), Image.Resampling.BICUBIC, centering=(0.5, 0.5))
    return _to_tensor(square)


def sha256(data: bytes) -> str:
    """Hash of a file's bytes, as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32).div(255).contiguous()


def _decode(data: bytes) -> Image.Image:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f"an image is a {type(data).__name__}; allowed: the bytes of its file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
            _check_size(image)
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(f"an image is too large to decode; allowed: {MOST_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"not an image that can be decoded: {error}") from error
    return _on_white(ImageOps.exif_transpose(image))


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ImageError(
            f"an image has {image.width} × {image.height} pixels; allowed: {MOST_PIXELS:,} in all"
        )


def _on_white(image: Image.Image) -> Image.Image:
    """RGB; what is transparent becomes white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
