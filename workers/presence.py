"""Tells the database that this worker lives, also while it waits for work or computes."""

from __future__ import annotations

import logging
import threading
import time

from django.db import Error, connection

from survey_site.stimuli import services

logger = logging.getLogger(__name__)

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
            except Error as error:
                logger.warning("the database did not take a beat, the next may pass: %s", error)
            finally:
                connection.close()  # nobody holds one for thirty seconds of silence
