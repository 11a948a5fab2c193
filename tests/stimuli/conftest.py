from collections.abc import Iterator

import pytest
import redis
from django.conf import settings


@pytest.fixture
def broker(transactional_db: None) -> Iterator[redis.Redis]:
    """The real broker, without messages before and after."""
    with redis.Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()
