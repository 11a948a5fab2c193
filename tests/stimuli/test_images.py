"""Images in: cleaned, refused by name, stored once."""

import random
import struct
import zlib
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image
from pytest_django.fixtures import Settings as SettingsWrapper

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, StoredImage, TargetImage
from tests.builders import encoded, image_set, picture, png

pytestmark = pytest.mark.django_db


def imported(*files: tuple[str, bytes]) -> services.ImportReport:
    to, _ = ImageSet.objects.get_or_create(slug="photos", defaults={"name": "Photos"})
    return services.import_images(image_set=to, files=[(name, data, "") for name, data in files])


def reason(data: bytes) -> str:
    """Why this file is refused, when a good one comes after it and is taken."""
    report = imported(("bad.png", data), ("good.png", png(1)))
    assert report.added == ["good.png"]
    ((name, why),) = report.refused
    assert name == "bad.png"
    assert TargetImage.objects.count() == StoredImage.objects.count() == 1
    return why


def stored_picture(name: str) -> Image.Image:
    with TargetImage.objects.get(name=name).image.file.open("rb") as file:
        picture = Image.open(file)
        picture.load()
    return picture


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """A few hundred bytes whose header promises a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_photograph_loses_its_metadata_and_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rows run from right to left
    exif[0x010E] = "taken at home"
    imported(("a.jpg", encoded(picture(1, width=64, height=40), "JPEG", exif=exif, comment=b"secret")))
    stored = stored_picture("a.jpg")
    assert stored.size == (40, 64)
    assert (stored.mode, stored.format, dict(stored.getexif()), stored.info) == ("RGB", "PNG", {}, {})
    row = StoredImage.objects.get()
    assert (row.width, row.height, row.media_type) == (40, 64, "image/png")


def test_what_is_transparent_becomes_white() -> None:
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    palette = Image.new("P", (40, 40), 0)
    imported(("rgba.png", encoded(clear)), ("palette.png", encoded(palette, transparency=0)))
    assert stored_picture("rgba.png").getpixel((5, 5)) == (255, 255, 255)
    assert TargetImage.objects.count() == 1  # both are the same white picture


def test_sixteen_bits_become_eight() -> None:
    imported(("deep.png", encoded(Image.new("I;16", (40, 40), 0x8000))))
    assert stored_picture("deep.png").getpixel((0, 0)) == (128, 128, 128)


def test_large_pictures_are_scaled_down() -> None:
    imported(("wide.png", encoded(Image.new("RGB", (3000, 600), "green"))))
    assert stored_picture("wide.png").size == (1024, 205)


def test_the_same_picture_under_another_name_or_format_is_a_duplicate() -> None:
    again = encoded(picture(1), "BMP")
    report = imported(("a.png", png(1)), ("b.png", png(1)), ("c.bmp", again), ("d.png", png(2)))
    assert (report.added, report.duplicates, report.refused) == (["a.png", "d.png"], ["b.png", "c.bmp"], [])


def test_two_sets_share_the_stored_bytes() -> None:
    imported(("0.png", png(1000)))
    image_set(1, slug="others")
    assert (TargetImage.objects.count(), StoredImage.objects.count()) == (2, 1)


def test_a_text_is_no_image() -> None:
    assert reason(b"just words") == "not an image; taken are PNG, JPEG, WEBP, BMP, TIFF, GIF"


def test_an_empty_file_is_no_image() -> None:
    assert reason(b"").startswith("not an image")


def test_svg_and_formats_that_run_programs_are_not_taken() -> None:
    assert reason(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>").startswith("not an image")
    assert imported(("a.eps", encoded(picture(1), "EPS"))).refused[0][1].startswith("not an image")


def test_a_truncated_png_is_broken() -> None:
    assert reason(png(5, width=100, height=100)[:9000]).startswith("a broken image: ")


def test_broken_camera_data_refuse_one_file_and_stop_nothing() -> None:
    """Pillow raises struct.error, TypeError and AttributeError on some; the import goes on all the same."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "x" * 50, 1.5
    raw, rng = exif.tobytes(), random.Random(3)
    files = []
    for number in range(200):
        broken = bytearray(raw)
        for _ in range(rng.randint(1, 6)):
            broken[rng.randrange(6, len(broken))] = rng.randrange(256)
        files.append((f"{number}.jpg", encoded(picture(1), "JPEG", exif=bytes(broken))))
    report = imported(*files, ("good.png", png(1)))
    assert len(report.added) + len(report.duplicates) + len(report.refused) == 201
    assert "good.png" in report.added


@pytest.mark.parametrize(
    ("width", "height"), [(7000, 7000), (20_000, 20_000), (60_000, 60_000)], ids=["ours", "warning", "error"]
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(width: int, height: int) -> None:
    data = bomb(width, height)
    assert len(data) < 1000
    assert reason(data).startswith("a decompression bomb: ")


def test_a_bomb_within_our_limit_names_the_limit(settings: SettingsWrapper) -> None:
    settings.IMAGE_MAX_PIXELS = 1500
    assert (
        reason(png(2, width=40, height=40)) == "a decompression bomb: 40 × 40 pixels; at most 1,500 are taken"
    )


def test_too_many_bytes_are_refused_by_name(settings: SettingsWrapper) -> None:
    settings.IMAGE_MAX_BYTES = len(png(1))
    large = png(2, width=64, height=64)
    assert reason(large) == f"{len(large):,} bytes; at most {len(png(1)):,} are taken"


def test_a_tiny_picture_is_refused() -> None:
    assert reason(png(2, width=31, height=80)) == "31 × 80 pixels; the shorter side must be at least 32"


def test_pixels_without_an_agreed_white_are_refused() -> None:
    assert reason(encoded(Image.new("F", (40, 40), 0.5), "TIFF")).startswith("pixels of 32 bits")


def test_the_file_is_there_before_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash between the two leaves a file without a row, which the next attempt finds."""

    class Crash(Exception):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(StoredImage, "save", crash)
        with pytest.raises(Crash):
            services.store_image(png(7), size=(32, 32))
    assert StoredImage.objects.count() == 0
    stored = services.store_image(png(7), size=(32, 32))
    assert stored.file.name == f"images/{stored.sha256[:2]}/{stored.sha256}.png"
    assert stored.file.read() == png(7)


def test_a_crash_while_writing_leaves_no_half_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(Exception):
        pass

    class Interrupted(ContentFile):
        def chunks(self, chunk_size: int | None = None):  # type: ignore[no-untyped-def]
            yield b"half"
            raise Crash

    with pytest.raises(Crash):
        default_storage.save("images/half.png", Interrupted(b"half and the rest"))
    assert not default_storage.exists("images/half.png")
    assert not list(Path(settings.MEDIA_ROOT).rglob(".draft-*"))


def test_a_taken_name_is_never_overwritten() -> None:
    first = default_storage.save("weights/net.bin", ContentFile(b"one"))
    second = default_storage.save("weights/net.bin", ContentFile(b"two"))
    assert first != second
    assert (default_storage.open(first).read(), default_storage.open(second).read()) == (b"one", b"two")
    assert oct(Path(default_storage.path(first)).stat().st_mode)[-3:] == "640"


def test_the_same_bytes_are_stored_once() -> None:
    one, two = services.store_image(png(3), size=(32, 32)), services.store_image(png(3), size=(32, 32))
    assert one == two
    assert len(list(Path(one.file.path).parent.glob(f"{one.sha256}*"))) == 1
