"""Attacks by upload. Each passes if the attacking file is refused by name, with the reason, nothing of it is
stored, and a good image beside it still comes in.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image

from survey_site.access.models import Role
from survey_site.stimuli.models import ImageSet, ImportedFile, StoredImage, UploadedArchive
from tests.access.caller import token_of
from tests.builders import encoded, image_set, logged_in, member, picture, png, researcher
from tests.stimuli.archives import encrypted, sharing_bytes, with_entry, zipped
from tests.stimuli.test_images import bomb

pytestmark = pytest.mark.django_db

GOOD = {"good.png": png(1)}


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def photos() -> ImageSet:
    return image_set(0)


@pytest.fixture
def client(photos: ImageSet) -> Client:
    return logged_in(member(Role.EDITOR, photos))


def addresses(client: Client) -> dict[str, str]:
    return client.post(reverse("image-upload-start", args=["photos"]), {"folders": "[]"}).json()


def send(client: Client, files: Mapping[str, bytes]) -> dict[str, str]:
    """Refusals by path, once all is sent and every archive is read, as the page's script does it."""
    to = addresses(client)
    given = [SimpleUploadedFile("file", data) for data in files.values()]
    said = client.post(to["files"], {"files": given, "paths": json.dumps(list(files))})
    assert said.status_code == 200, said.content
    while said.json()["read"] < said.json()["entries"]:
        said = client.post(to["go-on"])
    return dict(ImportedFile.objects.filter(outcome="refused").values_list("path", "reason"))


def refusal(client: Client, files: Mapping[str, bytes]) -> tuple[str, str]:
    """The one refusal; the good image came in, and nothing else did."""
    refused = send(client, files)
    ((path, reason),) = refused.items()
    assert list(ImageSet.objects.get().targets.values_list("name", flat=True)) == ["good.png"]
    assert StoredImage.objects.count() == 1
    assert stored_files() == {str(StoredImage.objects.get().file.name)}
    return path, reason


def stored_files() -> set[str]:
    root = Path(default_storage.path(""))
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


# Bombs ---------------------------------------------------------------------------------------------------


def test_an_image_bomb_is_refused_before_it_is_decoded(client: Client) -> None:
    assert refusal(client, {**GOOD, "big.png": bomb(30_000, 30_000)})[1].startswith("a decompression bomb")


def test_an_image_bomb_inside_a_zip_is_refused_before_it_is_decoded(client: Client) -> None:
    files = {"all.zip": zipped({**GOOD, "cat/big.png": bomb(30_000, 30_000)})}
    path, reason = refusal(client, files)
    assert (path, reason.split(":")[0]) == ("cat/big.png", "a decompression bomb")


def test_a_zip_bomb_is_refused_by_its_table_of_contents(client: Client) -> None:
    path, reason = refusal(client, {**GOOD, "bomb.zip": zipped({"a.png": bytes(30_000_000)})})
    assert path == "bomb.zip"
    assert reason.startswith("a decompression bomb: it unpacks to ")
    assert reason.endswith("at most 100 times is taken")
    assert not UploadedArchive.objects.exists()


def test_an_entry_that_is_a_bomb_is_refused_beside_others(client: Client) -> None:
    noise = {f"{n}.png": png(n, width=400, height=400) for n in range(1, 3)}
    inside = {**GOOD, "bomb.bmp": bytes(20_000_000)}
    refused = send(client, {"all.zip": zipped({**inside, **noise})})
    assert refused == {
        "bomb.bmp": refused["bomb.bmp"],
    }
    assert refused["bomb.bmp"].startswith("a decompression bomb: it unpacks to 1,0")
    assert ImageSet.objects.get().targets.count() == 3


def test_a_zip_that_lies_about_its_sizes_gives_no_more_than_it_says(client: Client) -> None:
    """Its entry says 1,000 bytes and holds 30,000,000: what is read is what it says, and that is no image."""
    data = bytearray(zipped({"a.png": bytes(30_000_000), **GOOD}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(signature)
        data[at + place : at + place + 4] = struct.pack("<I", 1000)
    path, reason = refusal(client, {"lies.zip": bytes(data)})
    assert path == "a.png"
    assert reason.startswith(("it cannot be unpacked", "not an image"))


def test_entries_that_share_bytes_are_refused(client: Client) -> None:
    path, reason = refusal(client, {**GOOD, "flat.zip": sharing_bytes(png(2), 50)})
    assert (path, reason) == ("flat.zip", "a decompression bomb: its entries share bytes")


def test_too_much_in_all_is_refused(client: Client, settings: Any) -> None:
    settings.ARCHIVE_MAX_UNPACKED_BYTES = 10_000
    path, reason = refusal(client, {**GOOD, "large.zip": zipped({f"{n}.png": png(n) for n in range(9)})})
    assert path == "large.zip"
    assert reason.endswith("at most 10,000 are taken")


def test_a_huge_count_of_entries_is_refused(client: Client, settings: Any) -> None:
    settings.ARCHIVE_MAX_ENTRIES = 100
    path, reason = refusal(client, {**GOOD, "many.zip": zipped({f"{n}.txt": b"" for n in range(101)})})
    assert (path, reason) == ("many.zip", "101 entries; at most 100 are taken: part it")


def test_a_table_of_contents_that_would_fill_the_memory_is_not_read(client: Client, settings: Any) -> None:
    """10,000 lines under a stated count of one: the table is refused for its size, unread."""
    settings.ARCHIVE_MAX_ENTRIES = 1000
    empty = zipped({"0000.png": b""}, compression=zipfile.ZIP_STORED)
    start, end = empty.index(b"PK\x01\x02"), empty.index(b"PK\x05\x06")
    lines = empty[start:end] * 10_000
    tail = bytearray(empty[end:])
    tail[12:16] = struct.pack("<I", len(lines))  # its stated count stays one
    path, reason = refusal(client, {**GOOD, "table.zip": empty[:start] + lines + bytes(tail)})
    assert path == "table.zip"
    assert reason == "its table of contents is larger than 512,000 bytes; at most 1,000 entries are taken"


# What stands in an archive -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../../evil.png", "a path that leads out of its folder (..)"),
        ("cat/../../evil.png", "a path that leads out of its folder (..)"),
        ("/etc/evil.png", "an absolute path"),
        ("C:/evil.png", "an absolute path"),
        ("cat\\..\\evil.png", "a path with a backslash"),
        ("cat//evil.png", "an empty name"),
        ("x" * 500 + ".png", "its path has 504 characters; at most 400 are taken"),
    ],
    ids=["up", "down and up", "absolute", "drive", "backslash", "empty", "long"],
)
def test_path_traversal_in_a_zip_is_refused(client: Client, name: str, why: str) -> None:
    path, reason = refusal(client, {"all.zip": with_entry(name, png(2), beside=GOOD)})
    assert path.startswith(name[:50])
    assert reason.startswith(why)


@pytest.mark.parametrize(
    ("name", "shown", "code"),
    [
        ("cat/\u202egnp.exe.png", "cat/<U+202E>gnp.exe.png", "U+202E"),
        ("cat\u200b/a.png", "cat<U+200B>/a.png", "U+200B"),
        ("cat/a\nb.png", "cat/a<U+000A>b.png", "U+000A"),
        ("cat/a.png\0.exe", "cat/a.png<U+0000>.exe", "U+0000"),
    ],
    ids=["right-to-left override", "zero width", "line break", "NUL"],
)
def test_unicode_tricks_in_names_are_refused_and_shown_as_they_are(
    client: Client, name: str, shown: str, code: str
) -> None:
    path, reason = refusal(client, {"all.zip": with_entry(name, png(2), beside=GOOD)})
    assert path == shown
    assert reason == f"its name has the character {code}, which cannot be seen or misleads; rename it"


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a\u202e.png", "a\0b.png"])
def test_the_same_holds_for_paths_that_the_script_sends(client: Client, name: str) -> None:
    refusal(client, {**GOOD, name: png(2)})


def test_two_spellings_of_a_name_are_one_label(client: Client) -> None:
    files = {"cafe\u0301/a.png": png(2), "caf\u00e9/b.png": png(3), "dog/c.png": png(4)}
    assert send(client, {"all.zip": zipped(files)}) == {}
    assert ImageSet.objects.get().targets.label_counts() == [("caf\u00e9", 2), ("dog", 1)]


def test_markup_in_a_name_is_text_on_every_page(client: Client) -> None:
    attack = "<img src=x onerror=alert(1)>"
    send(
        client,
        {"all.zip": zipped({f"{attack}/{attack}.png": png(2), "b/b.png": png(3), f"{attack}.txt": b""})},
    )
    report = reverse("image-upload-report", args=["photos", ImportedFile.objects.all()[0].upload_id])
    for page in (report, reverse("image-gallery", args=["photos"])):
        text = client.get(page).content.decode()
        assert "&lt;img src=x onerror=alert(1)&gt;" in text
        assert attack not in text


def test_a_symbolic_link_in_a_zip_is_refused(client: Client) -> None:
    data = with_entry("link.png", b"/etc/passwd", mode=0o120777, beside=GOOD)
    assert refusal(client, {"all.zip": data}) == ("link.png", "a symbolic link; allowed: files")


def test_a_device_in_a_zip_is_refused(client: Client) -> None:
    data = with_entry("disk.png", b"", mode=0o060660, beside=GOOD)
    assert refusal(client, {"all.zip": data})[1] == "a device, a pipe or the like; allowed: files"


def test_encrypted_entries_are_refused(client: Client) -> None:
    path, reason = refusal(client, {**GOOD, "locked.zip": encrypted({"a.png": png(2)})})
    assert (path, reason) == ("a.png", "encrypted; save the archive without a password")


@pytest.mark.parametrize("kind", ["zip", "gzip", "tar"])
def test_an_archive_in_an_archive_is_refused(client: Client, kind: str) -> None:
    inner = {"zip": zipped({"a.png": png(2)}), "gzip": gzip.compress(png(2)), "tar": tarred("a.png", png(2))}
    path, reason = refusal(client, {"all.zip": zipped({**GOOD, "inner.png": inner[kind]})})
    assert path == "inner.png"
    assert reason == "an archive inside an archive; put the images themselves into it"


def tarred(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_two_entries_of_one_path_are_refused(client: Client) -> None:
    data = with_entry("twice.png", png(2), beside={**GOOD, "twice.png": png(3)})
    path, reason = refusal(client, {"all.zip": data})
    assert (path, reason.split(",")[0]) == ("twice.png", "2 entries have this path")


def test_a_broken_entry_is_refused_and_the_rest_goes_on(client: Client) -> None:
    data = bytearray(zipped({"broken.png": png(2), **GOOD}, compression=zipfile.ZIP_STORED))
    data[200] ^= 0xFF
    path, reason = refusal(client, {"all.zip": bytes(data)})
    assert (path, reason.split(":")[0]) == ("broken.png", "it cannot be unpacked")


def test_a_cut_off_zip_is_broken(client: Client) -> None:
    path, reason = refusal(client, {**GOOD, "cut.zip": zipped({"a.png": png(2)})[:-30]})
    assert (path, reason.split(":")[0]) == ("cut.zip", "a broken archive")


# Files that are not what they seem -----------------------------------------------------------------------


def test_a_polyglot_keeps_nothing_but_its_pixels(client: Client) -> None:
    """A JPEG with a ZIP behind it and a script in its comment: pixels are kept, written anew."""
    script = b"<script>alert(1)</script>"
    jpeg = encoded(picture(2), "JPEG", comment=script)
    assert send(client, {"cat.jpg": jpeg + zipped({"evil.html": script})}) == {}
    stored = StoredImage.objects.get().file.read()
    assert script not in stored
    assert b"PK\x03\x04" not in stored
    assert b"evil" not in stored
    assert Image.open(io.BytesIO(stored)).format == "PNG"


def test_a_zip_behind_a_program_is_no_zip(client: Client) -> None:
    path, reason = refusal(client, {**GOOD, "setup.zip": b"MZ" + bytes(200) + zipped({"a.png": png(2)})})
    assert path == "setup.zip"
    assert reason.startswith("not an image")


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n",
        b"#!/bin/sh\nid\n",
        b"GIF89a<?php system('id'); ?>",
    ],
    ids=["svg", "html", "postscript", "shell", "gif"],
)
def test_a_wrong_extension_helps_nobody(client: Client, data: bytes) -> None:
    path, reason = refusal(client, {**GOOD, "cat.png": data})
    assert path == "cat.png"
    assert reason.startswith(("not an image", "a broken image", "a decompression bomb"))


def test_an_image_under_a_wrong_name_is_told_by_its_content(client: Client) -> None:
    assert send(client, {"notes.txt": png(2), "photo.zip": png(3), "cat.exe": png(4)}) == {}
    assert set(StoredImage.objects.values_list("media_type", flat=True)) == {"image/png"}


def test_a_zip_under_an_images_name_is_told_by_its_content(client: Client) -> None:
    assert send(client, {"cat.png": zipped(GOOD)}) == {}
    assert list(ImageSet.objects.get().targets.values_list("name", flat=True)) == ["good.png"]


def test_where_a_photograph_was_taken_is_not_kept(client: Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif[0x013B] = "the artist's name"
    send(client, {"home.jpg": encoded(picture(1, width=64, height=40), "JPEG", exif=exif)})
    row = StoredImage.objects.get()
    assert (row.width, row.height) == (40, 64)
    assert b"artist" not in row.file.read()
    with row.file.open("rb") as file:
        assert not Image.open(file).getexif()


# Who, how much, and forgery ------------------------------------------------------------------------------


def upload_addresses(client: Client) -> list[str]:
    to = addresses(client)
    return [
        reverse("image-upload", args=["photos"]),
        reverse("image-upload-start", args=["photos"]),
        *(to[name] for name in ("files", "go-on", "report")),
        reverse("image-gallery", args=["photos"]),
    ]


def test_nobody_but_editors_adds_or_removes(client: Client, photos: ImageSet) -> None:
    send(client, GOOD)
    target = photos.targets.get()
    visitors = {
        302: Client(),
        404: logged_in(researcher("stranger")),
        403: logged_in(member(Role.ANALYST, photos)),
    }
    for status, visitor in visitors.items():
        for address in upload_addresses(client):
            given = {"files": SimpleUploadedFile("a", png(5)), "paths": '["a.png"]', "folders": "[]"}
            answer = visitor.post(address, {**given, "remove": "1", "image": target.pk})
            assert answer.status_code == status, (address, status)
    assert list(photos.targets.all()) == [target]


def test_viewers_look(client: Client, photos: ImageSet) -> None:
    send(client, GOOD)
    viewer = logged_in(member(Role.VIEWER, photos))
    *_, report, gallery = upload_addresses(client)
    for address in (report, gallery):
        page = viewer.get(address)
        assert page.status_code == 200
        assert "Remove" not in page.content.decode()
    image = photos.targets.get().image_id
    for name in ("admin-image", "admin-thumbnail"):
        assert viewer.get(reverse(name, args=[image])).status_code == 200
        assert logged_in(researcher(f"nobody-{name}")).get(reverse(name, args=[image])).status_code == 404


def test_an_upload_of_one_set_is_not_reached_through_another(client: Client) -> None:
    other = image_set(0, slug="other")
    upload_id = addresses(client)["files"].split("/")[-3]
    thief = logged_in(member(Role.OWNER, other, name="thief"))
    for name in ("image-upload-files", "image-upload-go-on", "image-upload-report"):
        given = {"files": SimpleUploadedFile("a", png(5)), "paths": '["a.png"]'}
        assert thief.post(reverse(name, args=["other", upload_id]), given).status_code == 404


def test_an_image_of_another_set_is_not_removed_through_ones_own(client: Client) -> None:
    send(client, GOOD)
    victim = ImageSet.objects.get().targets.get()
    thief = logged_in(member(Role.OWNER, image_set(0, slug="other"), name="thief"))
    for change in ({"remove": "1"}, {"set_label": "1", "label": "stolen"}):
        thief.post(reverse("image-gallery", args=["other"]), {**change, "image": victim.pk})
    victim.refresh_from_db()
    assert victim.label == ""


def test_a_forged_upload_is_refused(client: Client, photos: ImageSet) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = client.cookies
    for address in upload_addresses(client):
        assert forged.post(address, {"files": SimpleUploadedFile("a", png(5))}).status_code == 403


def test_strangers_cannot_fill_the_disk(client: Client, settings: Any, tmp_path: Path) -> None:
    """Their form is refused by its stated length: none of it is written."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "uploads")
    (tmp_path / "uploads").mkdir()
    large = SimpleUploadedFile("a.zip", bytes(3_000_000))
    for address in (reverse("image-upload", args=["photos"]), "/admin/login/"):
        strange = Client(enforce_csrf_checks=True)
        strange.get("/admin/login/")  # whose cookie makes the form be read for its token
        assert strange.post(address, {"files": large}).status_code == 400
        large.seek(0)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_staff_with_a_token_may_send_as_much_as_those_with_a_session(photos: ImageSet) -> None:
    token = token_of(member(Role.EDITOR, photos, name="program"))
    large = SimpleUploadedFile("large.bmp", encoded(picture(1, width=1200, height=900), "BMP"))
    assert (large.size or 0) > 3_000_000
    for headers, status in (({"Authorization": f"Bearer {token}"}, 200), ({}, 401)):
        large.seek(0)
        program = Client(headers=headers)
        answer = program.post(f"/api/v1/image-sets/{photos.slug}/images/", {"files": large})
        assert answer.status_code == status, answer.content


def test_a_request_larger_than_allowed_is_refused_by_its_stated_length(client: Client, settings: Any) -> None:
    to = addresses(client)
    settings.UPLOAD_MAX_BYTES = 10_000
    large = SimpleUploadedFile("a.zip", bytes(20_000))
    assert client.post(to["files"], {"files": large, "paths": '["a.zip"]'}).status_code == 400


def test_more_files_than_allowed_in_one_request_are_refused(client: Client, settings: Any) -> None:
    to = addresses(client)
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 5
    given = [SimpleUploadedFile(str(n), b"x") for n in range(6)]
    assert client.post(to["files"], {"files": given, "paths": json.dumps(list("abcdef"))}).status_code == 400


@pytest.mark.parametrize("paths", ["", "[", "{}", "[1]", '["a.png", "b.png"]', "[" * 100_000])
def test_paths_that_fit_no_files_are_refused(client: Client, paths: str) -> None:
    given = {"files": SimpleUploadedFile("a", png(1)), "paths": paths}
    answer = client.post(addresses(client)["files"], given)
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "paths must be a JSON list of 1 texts, one a file",
    )
    assert not ImportedFile.objects.exists()
