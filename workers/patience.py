"""Waiting for a database or an image store that is away, without losing what is at hand."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection
from kombu.utils.functional import retry_over_time

from survey_site.stimuli.services import StoreTrouble

logger = logging.getLogger(__name__)

# InterfaceError: a connection that broke before it was used again.
DATABASE_AWAY = (OperationalError, InterfaceError)
AWAY = (*DATABASE_AWAY, StoreTrouble)
SHORTEST_PAUSE, LONGER_BY, LONGEST_PAUSE = 1, 1, 15  # seconds

_Result = TypeVar("_Result")


class Interrupted(Exception):
    """Told to stop: the worker shuts down, the job pauses, or the lease is lost. The message says which."""


def patiently(
    call: Callable[[], _Result], *, check: Callable[[], None], noting: Callable[[str], None]
) -> _Result:
    """What `call` gives, tried again for as long as the database or the image store is away.

    `check` is asked about once a second and may raise Interrupted; `noting` is told what is waited for, and
    "" once it is over.
    """

    def note(error: BaseException, pauses: Iterator[float], retries: int) -> float:
        message = describe(error)
        logger.warning("waiting, %s times by now: %s", retries + 1, message)
        if isinstance(error, DATABASE_AWAY):
            connection.close()
        noting(message)
        return next(pauses)

    # kombu hands `errback` the pauses to come and its count, which its type stubs leave out.
    result: _Result = retry_over_time(
        call,
        AWAY,
        errback=note,  # type: ignore[arg-type]
        interval_start=SHORTEST_PAUSE,
        interval_step=LONGER_BY,
        interval_max=LONGEST_PAUSE,
        callback=check,
    )
    noting("")
    return result


def describe(error: BaseException) -> str:
    """One line about what is away."""
    if isinstance(error, StoreTrouble):
        return str(error)
    return f"the database is away: {' '.join(str(error).split())}"
