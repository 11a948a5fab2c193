"""Tells the database that this worker lives, also while it waits for work or computes."""

from __future__ import annotations

import threading
import time

from django.db import Error, connection

from survey_site.stimuli import services

BEAT_SECONDS = 30.0


class Presence:
    """A thread that notes every so often that the worker lives; what it announced is offered for so long."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = threading.Thread(target=self._beat, name="presence", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_SECONDS)
            try:
                services.note_alive(name=self._name)
            except Error:  # a database that is away is tried again at the next beat
                connection.close()
