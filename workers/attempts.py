"""One attempt at a chunk: claimed, kept, and ended so that its row says what came of it. No torch here."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from survey_site.logs import log_ids
from survey_site.stimuli import services
from survey_site.stimuli.models import Worker, device_queue
from workers.lease_keeper import LeaseKeeper
from workers.patience import DATABASE_AWAY, Interrupted, describe, patiently

logger = logging.getLogger(__name__)

shutting_down = threading.Event()


class MemoryShort(Exception):
    """The device's memory did not suffice; `batch_size` is what the next attempt should begin with."""

    def __init__(self, message: str, batch_size: int) -> None:
        super().__init__(message)
        self.batch_size = batch_size


class Attempt:
    """A claimed chunk while one worker works on it."""

    def __init__(self, lease: services.ChunkLease, keeper: LeaseKeeper) -> None:
        self.lease, self.keeper = lease, keeper

    @property
    def stop_reason(self) -> str:
        """Why to stop now, empty while there is no reason."""
        if self.keeper.is_lost:
            return "the lease is lost"
        if shutting_down.is_set():
            return "the worker shut down"
        return self.keeper.give_back

    def should_stop(self) -> bool:
        return bool(self.stop_reason)

    def check(self) -> None:
        """Raises Interrupted when it is time to stop."""
        if reason := self.stop_reason:
            raise Interrupted(reason)

    def write(self, call: Callable[[], Any]) -> None:
        """Do what writes to database or image store, waiting for as long as either is away."""
        patiently(call, check=self.check, noting=self.keeper.note_waiting)


MakeChunk = Callable[[Attempt], None]
Ending = Callable[[], None]


def attempt_chunk(*, worker: Worker, queue: str, make_chunk: MakeChunk) -> None:
    """Claim the best waiting chunk that fits the worker and make its IRIs; no work is no error.

    `queue`: the broker's queue that rang. `make_chunk` raises Interrupted when told to stop, MemoryShort,
    ValueError or LookupError for what no other attempt would change, and anything else for what may pass.
    """
    trouble = services.store_trouble()
    services.note_trouble(worker=worker, trouble=trouble)
    if trouble:
        logger.warning("no chunk is claimed: %s", trouble)
        return
    lease = services.claim_chunk(worker=worker, queue=device_queue(queue))
    if lease is None:
        return
    logger.info("%s: attempt %s", lease.chunk, lease.chunk.attempts)
    chunk = lease.chunk
    with log_ids(job_id=chunk.job_id, chunk_id=chunk.pk), LeaseKeeper(lease) as keeper:
        _work(Attempt(lease, keeper), make_chunk)


def _work(attempt: Attempt, make_chunk: MakeChunk) -> None:
    try:
        ending = _ending(attempt, make_chunk)
        # Only a lost lease or a shutdown ends the wait for a database: what was done must be noted.
        patiently(ending, check=partial(_check_ending, attempt), noting=attempt.keeper.note_waiting)
    except services.LeaseLost as lost:
        logger.warning("%s", lost)
    except Interrupted as reason:
        logger.warning("%s: left to its lease: %s", attempt.lease.chunk, reason)


def _check_ending(attempt: Attempt) -> None:
    if attempt.keeper.is_lost or shutting_down.is_set():
        raise Interrupted(attempt.stop_reason)


def _ending(attempt: Attempt, make_chunk: MakeChunk) -> Ending:
    """Make the chunk's IRIs; what there is to note about how it went."""
    lease = attempt.lease
    try:
        make_chunk(attempt)
    except services.LeaseLost:
        raise
    except Interrupted as reason:
        return partial(services.release_chunk, lease=lease, reason=str(reason))
    except DATABASE_AWAY as error:
        logger.exception("%s is put off", lease.chunk)
        return partial(services.put_off_chunk, lease=lease, reason=describe(error))
    except MemoryShort as short:
        logger.exception("%s: memory ran out", lease.chunk)
        return partial(
            services.fail_chunk,
            lease=lease,
            reason=traceback.format_exc(),
            can_pass=True,
            batch_size=short.batch_size,
        )
    except (ValueError, LookupError) as refusal:  # what no other attempt would change
        logger.exception("%s failed", lease.chunk)
        return partial(services.fail_chunk, lease=lease, reason=f"{refusal}", can_pass=False)
    except Exception:
        logger.exception("%s failed", lease.chunk)
        if trouble := services.store_trouble():  # the whole store is away, and not this chunk to blame
            return partial(services.put_off_chunk, lease=lease, reason=trouble)
        return partial(services.fail_chunk, lease=lease, reason=traceback.format_exc(), can_pass=True)
    return partial(services.finish_chunk, lease=lease)
