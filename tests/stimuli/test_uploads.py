"""Uploads: each file comes in whole or not at all, again does no harm, and is accounted for."""

from __future__ import annotations

import io
import json
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from survey_site.access.models import AuditEvent, Role
from survey_site.stimuli import services
from survey_site.stimuli.models import (
    ImageSet,
    ImageUpload,
    ImportedFile,
    Outcome,
    StoredImage,
    TargetImage,
    UploadedArchive,
)
from tests.builders import encoded, image_set, logged_in, member, picture, png
from tests.stimuli.archives import zipped

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def photos() -> ImageSet:
    return image_set(0)


@pytest.fixture
def upload(photos: ImageSet) -> ImageUpload:
    return services.start_upload(image_set=photos, folders=["cat", "dog"])


@pytest.fixture
def client(photos: ImageSet) -> Client:
    return logged_in(member(Role.EDITOR, photos))


def give(upload: ImageUpload, path: str, data: bytes) -> ImportedFile | None:
    return services.import_file(upload=upload, path=path, file=io.BytesIO(data), size=len(data))


def outcomes(upload: ImageUpload) -> list[tuple[str, str]]:
    return list(upload.files.values_list("path", "outcome"))


def test_each_file_is_added_a_duplicate_or_refused_and_the_report_says_which(upload: ImageUpload) -> None:
    give(upload, "cat/a.png", png(1))
    give(upload, "dog/b.bmp", encoded(picture(1), "BMP"))
    give(upload, "dog/notes.txt", b"words")
    added, duplicate, refused = upload.files.select_related("target")
    assert (added.outcome, str(added.target), added.target.label) == ("added", "a.png", "cat")  # type: ignore[union-attr]
    assert (duplicate.outcome, duplicate.target) == ("duplicate", added.target)
    assert (refused.outcome, refused.target) == ("refused", None)
    assert refused.reason.startswith("not an image")


def test_the_same_file_again_is_the_same_answer(upload: ImageUpload) -> None:
    """A request whose answer was lost is sent again: it must not call its own image a duplicate."""
    first, again = give(upload, "a.png", png(1)), give(upload, "a.png", png(1))
    assert first == again
    assert outcomes(upload) == [("a.png", "added")]
    give(upload, "a.txt", b"x")
    give(upload, "a.txt", b"x")
    assert upload.files.count() == 2


def test_other_bytes_under_the_same_name_are_another_image(upload: ImageUpload) -> None:
    give(upload, "a.png", png(1))
    give(upload, "a.png", png(2))
    assert outcomes(upload) == [("a.png", "added"), ("a.png", "added")]


def test_a_crash_between_image_and_report_leaves_neither(
    upload: ImageUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(ImportedFile.objects, "get_or_create", crash)
        with pytest.raises(Crash):
            give(upload, "a.png", png(1))
    assert (TargetImage.objects.count(), ImportedFile.objects.count()) == (0, 0)
    give(upload, "a.png", png(1))
    assert outcomes(upload) == [("a.png", "added")]


def test_a_zip_is_read_on_from_where_it_was_left(upload: ImageUpload) -> None:
    give(upload, "all.zip", zipped({f"{n}.png": png(n) for n in range(5)}))
    steps = [services.continue_upload(upload=upload, seconds=0) for _ in range(5)]
    assert steps == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert upload.files.filter(outcome=Outcome.ADDED).count() == 5
    archive = UploadedArchive.objects.get()
    assert not archive.file
    assert default_storage.listdir("uploads")[1] == []
    assert services.continue_upload(upload=upload) == (5, 5)


def test_a_zip_that_was_sent_twice_is_read_twice_and_comes_in_once(upload: ImageUpload) -> None:
    data = zipped({"cat/1.png": png(1), "dog/2.png": png(2)})
    give(upload, "all.zip", data)
    give(upload, "all.zip", data)
    services.continue_upload(upload=upload, seconds=60)
    assert outcomes(upload) == [("cat/1.png", "added"), ("dog/2.png", "added")]


def test_what_is_left_of_a_zip_can_be_left_out(upload: ImageUpload) -> None:
    give(upload, "all.zip", zipped({f"{n}.png": png(n) for n in range(5)}))
    services.continue_upload(upload=upload, seconds=0)
    services.discard_archive(UploadedArchive.objects.get())
    assert services.progress_of(upload) == (1, 1)
    assert upload.image_set.targets.count() == 1
    assert default_storage.listdir("uploads")[1] == []


def test_a_zip_that_waits_is_no_orphan_and_a_forgotten_one_is(upload: ImageUpload) -> None:
    from datetime import timedelta

    give(upload, "all.zip", zipped({"1.png": png(1)}))
    name = str(UploadedArchive.objects.get().file.name)
    assert services.find_orphans(older_than=timedelta(0)).files == []
    upload.image_set.delete()
    assert services.find_orphans(older_than=timedelta(0)).files == [name]


def test_a_zip_that_was_taken_under_other_limits_ends_with_a_reason(
    upload: ImageUpload, settings: Any
) -> None:
    give(upload, "all.zip", zipped({f"{n}.png": png(n) for n in range(5)}))
    settings.ARCHIVE_MAX_ENTRIES = 2
    read, n_entries = services.continue_upload(upload=upload)
    assert read == n_entries
    assert upload.files.get().reason == "5 entries; at most 2 are taken: part it"


def test_an_absent_store_is_told_and_nothing_is_noted(
    client: Client, photos: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = client.post(reverse("image-upload-start", args=["photos"]), {"folders": "[]"}).json()

    def away(*_: object) -> None:
        raise OSError("no space left on device")

    def given() -> dict[str, Any]:
        return {"files": SimpleUploadedFile("file", png(1)), "paths": '["a.png"]'}

    with monkeypatch.context() as patched:
        patched.setattr("survey_site.stimuli.storage.WholeFileStorage._save", away)
        answer = client.post(to["files"], given())
    assert (answer.status_code, answer.json()) == (
        503,
        {"error": "the image store: no space left on device"},
    )
    assert not ImportedFile.objects.exists()
    assert client.post(to["files"], given()).json()["added"] == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_images_from_six_at_once_come_in_once(upload: ImageUpload) -> None:
    data = {f"{n}.png": png(n) for n in range(6)}
    give(upload, "all.zip", zipped(data))
    faults: list[Exception] = []

    def run(first: int) -> None:
        try:
            for n in range(6):
                name = f"{(first + n) % 6}.png"
                give(upload, name, data[name])
            services.continue_upload(upload=upload, seconds=60)
        except services.StoreTrouble:
            pass  # another one finished the archive and took its file away: the script asks again
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(outcomes(upload)) == [(f"{n}.png", "added") for n in range(6)]
    assert (TargetImage.objects.count(), StoredImage.objects.count()) == (6, 6)


def test_a_large_zip_is_never_whole_in_memory(upload: ImageUpload, tmp_path: Path) -> None:
    """60 MB of stored BMPs, of which one at a time is read."""
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for n in range(20):
            archive.writestr(f"{n}.bmp", encoded(picture(n, width=1000, height=1000), "BMP"))
    size = path.stat().st_size
    tracemalloc.start()
    with path.open("rb") as file:
        services.import_file(upload=upload, path="large.zip", file=file, size=size)
        services.continue_upload(upload=upload, seconds=0)
        services.continue_upload(upload=upload, seconds=0)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 60_000_000
    assert most < 30_000_000


# The pages -----------------------------------------------------------------------------------------------


def test_without_javascript_the_form_brings_its_files_to_the_report(client: Client) -> None:
    files = [
        SimpleUploadedFile("a.png", png(1)),
        SimpleUploadedFile("all.zip", zipped({"cat/1.png": png(2), "dog/2.png": png(3)})),
        SimpleUploadedFile("notes.txt", b"words"),
    ]
    answer = client.post(reverse("image-upload", args=["photos"]), {"files": files})
    page = client.get(answer["Location"]).content.decode()
    for words in ("<strong>3</strong> added", "<strong>1</strong> refused", "notes.txt", "not an image"):
        assert words in page, words
    empty = client.post(reverse("image-upload", args=["photos"]), follow=True)
    assert "Choose files first" in empty.content.decode()


def test_folders_that_are_dropped_give_labels_to_their_files(client: Client, photos: ImageSet) -> None:
    folders = ["photos/cat", "photos/dog", "../evil"]
    start = client.post(reverse("image-upload-start", args=["photos"]), {"folders": json.dumps(folders)})
    assert start.status_code == 201
    to = start.json()
    assert to["labels"] == {"photos/cat": "cat", "photos/dog": "dog"}
    given = [SimpleUploadedFile("file", png(n)) for n in range(2)]
    paths = ["photos/cat/1.png", "photos/dog/1.png"]
    said = client.post(to["files"], {"files": given, "paths": json.dumps(paths)}).json()
    assert said["files"] == [{"path": path, "outcome": "added", "reason": ""} for path in paths]
    assert photos.targets.label_counts() == [("cat", 1), ("dog", 1)]
    assert AuditEvent.objects.get(action="upload images").subject == "photos"


def test_labels_are_corrected_on_the_report_even_exchanged(client: Client, upload: ImageUpload) -> None:
    for n, path in enumerate(("cat/a.png", "dog/b.png", "c.png")):
        give(upload, path, png(n))
    report = reverse("image-upload-report", args=["photos", upload.pk])
    client.post(report, {"before": ["cat", "dog", ""], "label": ["dog", " cat ", "bird"]})
    assert dict(upload.image_set.targets.values_list("name", "label")) == {
        "a.png": "dog", "b.png": "cat", "c.png": "bird",
    }  # fmt: skip
    history = client.get(reverse("admin:stimuli_imageset_history", args=[upload.image_set_id]))
    assert "label" in history.content.decode()


def test_a_whole_upload_is_taken_back(client: Client, upload: ImageUpload) -> None:
    give(upload, "a.png", png(1))
    before = services.start_upload(image_set=upload.image_set)
    give(before, "b.png", png(2))
    give(upload, "b.png", png(2))
    client.post(reverse("image-upload-report", args=["photos", upload.pk]), {"remove": "1"})
    assert list(upload.image_set.targets.values_list("name", flat=True)) == ["b.png"]
    page = client.get(reverse("image-upload-report", args=["photos", upload.pk]))
    assert page.status_code == 200


def test_a_report_of_thousands_is_one_page_of_them(client: Client, upload: ImageUpload) -> None:
    row = services.store_image(png(1), size=(32, 32))
    images = StoredImage.objects.bulk_create(
        StoredImage(sha256=f"{n:064}", file=row.file.name, width=32, height=32) for n in range(2000)
    )
    targets = TargetImage.objects.bulk_create(
        TargetImage(image_set=upload.image_set, image=image, name=f"{n}.png")
        for n, image in enumerate(images)
    )
    ImportedFile.objects.bulk_create(
        ImportedFile(
            upload=upload, path=target.name, sha256=target.image.sha256, outcome="added", target=target
        )
        for target in targets
    )
    for address in (
        reverse("image-upload-report", args=["photos", upload.pk]),
        reverse("image-gallery", args=["photos"]),
    ):
        page = client.get(address, {"page": 2}).content.decode()
        assert "page 2 of 42" in page
        assert page.count("small.webp") == 48
