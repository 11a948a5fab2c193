"""Keeps a claimed chunk's lease alive while torch computes."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from django.conf import settings
from django.db import Error, connection

from survey_site.stimuli import services

# Beats per lease: some may fail without the lease running out.
BEATS_PER_LEASE = 4
LONGEST_PAUSE = 2.0  # seconds, so that progress moves and a cancel or a pause is noticed soon


class LeaseKeeper:
    """A thread that renews the lease on a database connection of its own and carries progress.

    `is_lost` turns true when somebody else holds the chunk or its job was cancelled; `give_back` says why the
    chunk is to wait, empty while it is not. A database that is away for a beat is tried again at the next;
    the lease decides, not the failed beat.
    """

    def __init__(self, lease: services.ChunkLease) -> None:
        self._lease = lease
        self._progress: dict[str, Any] = {}
        self._waiting_for = ""
        self._stop, self._lost = threading.Event(), threading.Event()
        self.give_back = ""
        self._thread = threading.Thread(target=self._beat, name="lease-keeper", daemon=True)

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    def note(self, progress: dict[str, Any]) -> None:
        """Carry this with the next beat."""
        self._progress = progress

    def note_waiting(self, what: str) -> None:
        """Carry with the progress what is waited for; empty once it is over."""
        self._waiting_for = what

    def _carried(self) -> dict[str, Any]:
        waiting = self._waiting_for
        return {**self._progress, "waiting_for": waiting} if waiting else self._progress

    def _beat(self) -> None:
        pause = min(settings.IRI_LEASE_SECONDS / BEATS_PER_LEASE, LONGEST_PAUSE)
        try:
            while not self._stop.wait(pause):
                try:
                    self.give_back = services.heartbeat(lease=self._lease, progress=self._carried())
                except services.LeaseLost:
                    self._lost.set()
                    return
                except Error:  # InterfaceError, of a connection that broke, is no DatabaseError
                    connection.close()
        finally:
            connection.close()

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
