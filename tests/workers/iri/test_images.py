import io
import struct
import zlib

import pytest
import torch
from PIL import Image

from tests.workers.iri.tiny import photographs
from workers.iri.images import ImageError, fit, from_png, quantize, sha256, to_png


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of_claimed_size(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_png_gives_the_8_bit_image_back() -> None:
    image = photographs(1)[0]
    assert torch.equal(from_png(to_png(image)), quantize(image))


def test_the_same_pixels_give_the_same_bytes_without_metadata() -> None:
    image = photographs(1)[0]
    data = to_png(image)
    assert data == to_png(image.contiguous(memory_format=torch.preserve_format).clone())
    assert Image.open(io.BytesIO(data)).info == {}
    assert Image.open(io.BytesIO(data)).mode == "RGB"


def test_values_outside_are_clamped_and_halves_rounded_to_even() -> None:
    assert (quantize(torch.tensor([-1.0, 0.5, 2.0])) * 255).tolist() == [0.0, 128.0, 255.0]


def test_fit_takes_the_centre_square() -> None:
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste(Image.new("RGB", (100, 100), (0, 51, 255)), (100, 0))
    fitted = fit(encoded(wide), 20)
    assert fitted.shape == (3, 20, 20)
    assert torch.allclose(fitted.mean((1, 2)), torch.tensor([0.0, 0.2, 1.0]), atol=0.05)


def test_fit_averages_before_it_samples() -> None:
    stripes = Image.new("L", (256, 256))
    stripes.putdata([255 * (column % 2) for _ in range(256) for column in range(256)])
    inside = fit(encoded(stripes), 32)[:, 4:-4, 4:-4]
    assert (inside - 0.5).abs().max() < 0.02


def test_a_turned_photograph_is_put_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    picture = Image.new("RGB", (16, 16), "black")
    picture.paste(Image.new("RGB", (16, 8), "white"), (0, 0))
    upright = from_png(encoded(picture, exif=exif))
    assert upright[0, 0, 0] == 0
    assert upright[0, -1, 0] == 1


def test_what_is_transparent_becomes_white() -> None:
    assert from_png(encoded(Image.new("RGBA", (16, 16), (0, 0, 0, 0)))).min() == 1


def test_bytes_that_are_no_image_are_refused() -> None:
    with pytest.raises(ImageError, match="not an image that can be decoded"):
        from_png(b"hello")


def test_half_an_image_is_refused() -> None:
    data = encoded(Image.effect_noise((64, 64), 50).convert("RGB"))
    with pytest.raises(ImageError, match="not an image that can be decoded"):
        from_png(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("side", "message"),
    [(8_000, "8000 × 8000 pixels; allowed: 50,000,000"), (12_000, "too large"), (60_000, "too large")],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        fit(png_of_claimed_size(side, side), 32)


def test_what_no_png_can_hold_is_refused() -> None:
    with pytest.raises(ImageError, match=r"shape \(1, 4, 4\); allowed: \(3, height, width\)"):
        to_png(torch.zeros(1, 4, 4))
    with pytest.raises(ImageError, match="not finite"):
        to_png(torch.full((3, 4, 4), torch.nan))


def test_sha256_is_hexadecimal() -> None:
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
