"""Locks by name, in the database."""

from __future__ import annotations

import hashlib

from django.db import connection


def wait_for_turn(name: str) -> None:
    """A lock of this name until the transaction ends, or its connection: no row is held meanwhile."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
