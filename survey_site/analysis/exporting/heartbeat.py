"""Says on a connection of its own that a file is still being written, and how far it is.

The writing itself reads inside one transaction, in which nothing that is said would be seen by others.
"""

from __future__ import annotations

import logging
import threading
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection
from django.db.models.functions import Now

from survey_site.analysis.export_models import EXPORT_LEASE, Export

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0


class LeaseLost(Exception):
    """Somebody else holds the export."""


class Heartbeat:
    """`with Heartbeat(export) as heart:`, and `heart.told` as what the stream tells its progress to."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._progress = (0, 0)
        self._is_lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"export {export.pk}", daemon=True)

    def told(self, done: int, total: int) -> None:
        """Raises LeaseLost if the export was taken over."""
        self._progress = (done, total)
        if self._is_lost:
            raise LeaseLost

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended.wait(BEAT_SECONDS):
                self._beat()
        finally:
            connection.close()

    def _beat(self) -> None:
        done, total = self._progress
        try:
            held = Export.objects.held(self._export).update(
                done=done, total=total, lease_until=Now() + EXPORT_LEASE
            )
        except DatabaseError as error:
            logger.warning("export %s could not say that it goes on: %s", self._export.pk, error)
            connection.close()
        else:
            self._is_lost = not held
