"""Exports in the background: asked for, written by the housekeeping worker, kept for some days.

The row is the truth and the message only a doorbell: a worker that is killed, or a message that is lost,
costs time alone. One file is written at a time, so that whatever else the housekeeping worker does goes on.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from tempfile import TemporaryFile
from typing import IO

from django.conf import settings
from django.core.files.base import File
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.access.models import User
from survey_site.access.roles import ExportLevel
from survey_site.access.services import record_event
from survey_site.analysis.export_models import EXPORT_LEASE, MOST_EXPORT_ATTEMPTS, Export, ExportState
from survey_site.analysis.exporting.heartbeat import Heartbeat, LeaseLost
from survey_site.analysis.exporting.kinds import Kind, kind_named
from survey_site.analysis.exporting.selection import Filters, Selection
from survey_site.stimuli.services.doorbell import ring_for, rings_under_way

logger = logging.getLogger(__name__)

WRITE_EXPORTS = "analysis.write_exports"
QUEUE = settings.CELERY_TASK_DEFAULT_QUEUE
#: Held while an export is claimed, so that two workers never both find that nothing is being written.
CLAIM_LOCK = 0x1F16
#: Messages that wait on the housekeeping queue; with more, the sweep adds none.
MOST_RINGS = 5


def log_export(*, by: User | None, kind: Kind, selection: Selection, action: str = "export") -> None:
    """Into the audit log: who took which rows of what, and how much they say of people."""
    detail = {"format": kind.name, "level": selection.level.label, **selection.filters.to_dict()}
    record_event(user=by, action=action, subject=selection.study, detail=detail)


@transaction.atomic
def request_export(*, selection: Selection, kind: Kind, by: User | None) -> Export:
    """Have the file written; whoever may export the level finds it on the study's export page."""
    export = Export.objects.create(
        study=selection.study,
        kind=kind.name,
        level=selection.level,
        filters=selection.filters.to_dict(),
        requested_by_id=by.pk if by else None,
    )
    log_export(by=by, kind=kind, selection=selection, action="ask for an export")
    ring_for(WRITE_EXPORTS, QUEUE)
    return export


def selection_of(export: Export) -> Selection:
    return Selection(export.study, Filters.read(export.filters), ExportLevel(export.level))


@transaction.atomic
def claim_export() -> Export | None:
    """The oldest that waits, now under a lease; None if none does or another is being written."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
    if Export.objects.being_written().exists():
        return None
    found = Export.objects.claimable().order_by("requested_at", "pk").first()
    if found is None:
        return None
    Export.objects.filter(pk=found.pk).update(
        state=ExportState.RUNNING, lease_until=Now() + EXPORT_LEASE, attempts=F("attempts") + 1, done=0
    )
    return Export.objects.select_related("study").get(pk=found.pk)


def write_exports() -> int:
    """Write what waits, one after another. Returns how many were taken up."""
    taken = 0
    while export := claim_export():
        taken += 1
        try:
            write_export(export)
        except LeaseLost:
            logger.warning("export %s is held by somebody else; this attempt ends", export.pk)
        except OperationalError:
            raise  # the database is away: another attempt follows when the lease ends
        except Exception as error:
            logger.exception("export %s failed", export.pk)
            fail_export(export, reason=f"{type(error).__name__}: {error}")
    return taken


def write_export(export: Export) -> None:
    """Write the file of a claimed export and store it. Raises LeaseLost if somebody else took it over."""
    kind, selection = kind_named(export.kind), selection_of(export)
    with TemporaryFile() as written, Heartbeat(export) as heart:
        for part in kind.stream(selection, heart.told):
            written.write(part)
        _store(export, kind.file_name(selection), written)


def _store(export: Export, name: str, written: IO[bytes]) -> None:
    size = written.tell()
    written.seek(0)
    export.file.save(name, File(written), save=False)
    stored = Export.objects.held(export).update(
        state=ExportState.DONE,
        file=export.file.name,
        size=size,
        done=F("total"),
        finished_at=Now(),
        expires_at=Now() + timedelta(days=settings.EXPORT_DAYS),
        lease_until=None,
    )
    if not stored:
        export.file.delete(save=False)
        raise LeaseLost


def fail_export(export: Export, *, reason: str) -> None:
    """What fails once for a reason of its own would fail again: it is not tried anew."""
    Export.objects.held(export).update(
        state=ExportState.FAILED, reason=reason[:500], finished_at=Now(), lease_until=None
    )


def sweep_exports() -> None:
    """Ring again for what waits, give up what was lost too often, and delete what is no longer kept."""
    Export.objects.exhausted().update(
        state=ExportState.FAILED,
        reason=f"given up after {MOST_EXPORT_ATTEMPTS} attempts: each worker stopped without a word",
        finished_at=Now(),
        lease_until=None,
    )
    for export in Export.objects.overdue():
        export.file.storage.delete(str(export.file.name))
        Export.objects.filter(pk=export.pk).update(state=ExportState.EXPIRED, file="")
    waits = Export.objects.claimable().exists() and not Export.objects.being_written().exists()
    if waits and rings_under_way(QUEUE) < MOST_RINGS:
        ring_for(WRITE_EXPORTS, QUEUE)
