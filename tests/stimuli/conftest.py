from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages name static files as they are, so that none need be collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def broker(transactional_db: None) -> Iterator[redis.Redis]:
    """The real broker, without messages before and after."""
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()
