"""Whether this process lives, and whether it can serve: for load balancers and containers."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

SECONDS = 2


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 if the database answers and is migrated and the broker answers, else 503 naming what does not."""
    found = {"database": database_answers(), "migrations": False, "broker": broker_answers()}
    found["migrations"] = found["database"] and is_migrated()
    return JsonResponse(found, status=200 if all(found.values()) else 503)


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return False
    return True


def broker_answers() -> bool:
    url = settings.CELERY_BROKER_URL
    try:
        with Redis.from_url(url, socket_connect_timeout=SECONDS, socket_timeout=SECONDS) as client:
            return bool(client.ping())
    except (RedisError, OSError, ValueError):
        return False


def is_migrated() -> bool:
    """Once it is, it stays so for as long as this process runs this code."""
    try:
        return _migrated()
    except LookupError:
        return False


@lru_cache(maxsize=1)
def _migrated() -> bool:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError  # is not kept
    return True
