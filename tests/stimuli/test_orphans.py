"""What a crash left behind is found and removed, and nothing else is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from survey_site.stimuli import services
from survey_site.stimuli.models import IRIChunk, StoredImage
from tests.builders import claim, finished_job, png, queued_job

pytestmark = pytest.mark.django_db(transaction=True)

ALL = timedelta(0)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    yield
    shutil.rmtree(tmp_path)


def age(name: str, hours: int = 48) -> str:
    path = default_storage.path(name)
    then = os.stat(path).st_mtime - 3600 * hours
    os.utime(path, (then, then))
    return name


def stray(name: str) -> str:
    return age(default_storage.save(name, ContentFile(b"left behind")))


def old_row(seed: int) -> StoredImage:
    row = services.store_image(png(seed), size=(32, 32))
    StoredImage.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(hours=48))
    age(str(row.file.name))
    return row


def test_nothing_that_is_pointed_to_is_an_orphan() -> None:
    finished_job(2)
    queued_job(2, slug="other")
    services.save_checkpoint(lease=claim(), data=b"step 12")
    found = services.find_orphans(older_than=ALL)
    assert (found.files, found.rows) == ([], [])


def test_files_that_nothing_points_to_are_found_once_they_are_old() -> None:
    strays = [
        stray(name) for name in ("images/ab/abc.png", "checkpoints/1-1-x.pt", "weights/w.bin", "probes/p")
    ]
    draft = Path(default_storage.path("images/ab")) / ".draft-x"
    draft.write_bytes(b"half")
    fresh = default_storage.save("images/cd/cde.png", ContentFile(b"just now"))
    age("images/ab/.draft-x")
    assert set(services.find_orphans(older_than=DAY).files) == {*strays, "images/ab/.draft-x"}
    removed = services.remove_orphans(older_than=DAY)
    assert len(removed.files) == 5
    assert default_storage.exists(fresh)
    assert not any(default_storage.exists(name) for name in removed.files)


def test_image_rows_that_nothing_points_to_go_with_their_files() -> None:
    row = old_row(1)
    fresh = services.store_image(png(2), size=(32, 32))
    removed = services.remove_orphans(older_than=DAY)
    assert ([one.sha256 for one in removed.rows], removed.files) == ([row.sha256], [row.file.name])
    assert list(StoredImage.objects.all()) == [fresh]
    assert default_storage.exists(str(fresh.file.name))


def test_a_row_made_for_a_file_that_is_about_to_go_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list says orphan, and meanwhile a worker stores the same bytes."""
    name = str(old_row(1).file.name)
    StoredImage.objects.all().delete()
    listed = services.find_orphans(older_than=DAY)
    assert listed.files == [name]
    row = services.store_image(png(1), size=(32, 32))
    monkeypatch.setattr("survey_site.stimuli.services.orphans.find_orphans", lambda **_: listed)
    assert services.remove_orphans(older_than=DAY).files == []
    assert row.file.read() == png(1)


def test_checkpoints_go_with_the_end_of_their_chunk() -> None:
    for end in (
        lambda lease: services.finish_chunk(lease=lease),
        lambda lease: services.fail_chunk(lease=lease, reason="no", can_pass=False),
        lambda lease: services.cancel_job(job=lease.chunk.job),
    ):
        IRIChunk.objects.all().delete()
        queued_job(1, slug=f"net-{id(end)}")
        lease = claim()
        services.save_checkpoint(lease=lease, data=b"step 1")
        services.save_checkpoint(lease=lease, data=b"step 2")
        assert len(default_storage.listdir("checkpoints")[1]) == 1
        end(lease)
        assert default_storage.listdir("checkpoints")[1] == []


def test_the_command_lists_and_removes() -> None:
    name = stray("images/ab/abc.png")
    said = StringIO()
    call_command("orphans", stdout=said)
    assert said.getvalue() == f"file {name}\n1 files and 0 image rows found; --remove removes them\n"
    call_command("orphans", remove=True, stdout=said)
    assert said.getvalue().endswith("1 files and 0 image rows removed\n")
    assert not default_storage.exists(name)
    with pytest.raises(CommandError, match="--older-than is -1; allowed: 0 to 876000 hours"):
        call_command("orphans", older_than=-1.0)


@pytest.mark.parametrize("hours", [float("nan"), 1e12])
def test_hours_that_are_none_are_refused(hours: float) -> None:
    with pytest.raises(CommandError, match="allowed: 0 to 876000 hours"):
        call_command("orphans", older_than=hours)
