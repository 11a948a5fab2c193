from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as site_settings


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Pages name static files as they are, so that none need be collected."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def broker(transactional_db: None) -> Iterator[None]:
    """The real broker takes the rings of what is committed, and forgets them after."""
    with redis.Redis.from_url(site_settings.CELERY_BROKER_URL) as client:
        yield
        client.flushdb()
