"""Images, weights and checkpoints in an S3 bucket, on an S3 server that the test starts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import boto3
import pytest
from django.conf import settings as site_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from survey_site.stack.ports import free_port
from survey_site.stimuli import services
from survey_site.stimuli.models import IRIChunk
from tests.builders import claim, finish, png, queued_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server with a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    client.create_bucket(Bucket="lab")
    yield address
    server.stop()


def in_bucket(settings: Any, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """As IMAGE_BUCKET=lab and IMAGE_BUCKET_ENDPOINT_URL set it at the start."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    bucket: dict[str, Any] = deepcopy(site_settings.BUCKET_STORAGE)
    bucket["OPTIONS"] |= {"bucket_name": "lab", "endpoint_url": address, "region_name": "us-east-1"}
    bucket["OPTIONS"]["location"] = uuid.uuid4().hex  # a folder that no other test wrote to
    settings.STORAGES = {**settings.STORAGES, "default": bucket}


@pytest.fixture
def bucket(server: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    in_bucket(settings, monkeypatch, server)


@pytest.mark.usefixtures("bucket")
def test_images_are_kept_in_the_bucket_by_their_hash() -> None:
    job = finish(queued_job(2))
    for iri in job.iris.with_images():
        assert iri.image
        assert default_storage.exists(str(iri.image.file.name))
        assert iri.image.file.name == f"images/{iri.image.sha256[:2]}/{iri.image.sha256}.png"
    assert list(services.broken_images()) == []
    assert services.find_orphans(older_than=timedelta(0)).files == []
    again = services.store_image(png(1000), size=(32, 32))
    assert services.store_image(png(1000), size=(32, 32)) == again


@pytest.mark.usefixtures("bucket")
def test_checkpoints_and_orphans_too() -> None:
    queued_job(1)
    lease = claim()
    services.save_checkpoint(lease=lease, data=b"step 12")
    assert services.read_checkpoint(IRIChunk.objects.get()) == b"step 12"
    stray = default_storage.save("images/ab/abc.png", ContentFile(b"left behind"))
    assert services.remove_orphans(older_than=timedelta(seconds=-5)).files == [stray]
    assert services.read_checkpoint(IRIChunk.objects.get()) == b"step 12"
    assert services.store_trouble() == ""


def test_a_bucket_that_is_away_is_trouble_in_words(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    in_bucket(settings, monkeypatch, f"http://127.0.0.1:{free_port()}")
    assert services.store_trouble().startswith("the image store: Could not connect to the endpoint URL")
    with pytest.raises(services.StoreTrouble):
        services.store_image(png(1), size=(32, 32))
