"""Two people, one study: every change of the design has a number, and nobody overwrites another's unseen.

The database counts (migration 0006), so that whoever writes is counted, the shell included; who changed
what is read from the history.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from django.utils.dateparse import parse_datetime

from survey_site.access.history import Change, ChangeList
from survey_site.studies.models import Study
from survey_site.studies.refusals import StudyRefused

MOST_CHANGES = 8


class ChangedMeanwhile(StudyRefused):
    """Somebody else changed the study since it was read; `told` says who, when and what, a line each."""

    def __init__(self, told: list[str]) -> None:
        super().__init__(" ".join(told))
        self.told = told


def stamp(study: Study) -> str:
    """What a form keeps of the study that it shows: its revision, and when that was made."""
    newest = ChangeList(study)[:1]
    return f"{study.revision} {newest[0].at.isoformat() if newest else ''}"


def lock_as_seen(study: Study, seen: str) -> None:
    """Hold the study until the transaction ends, if it still is as it was at the stamp `seen`.

    Raises ChangedMeanwhile, which tells what happened since. Within a transaction.
    """
    revision, _, at = seen.partition(" ")
    current = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if str(current.revision) != revision:
        raise ChangedMeanwhile(
            [
                "This study was changed after you opened it here, so nothing of yours was saved.",
                *_changes_since(current, _parsed(at)),
            ]
        )


def _parsed(at: str) -> datetime | None:
    try:
        return parse_datetime(at)
    except ValueError:
        return None


def _changes_since(study: Study, at: datetime | None) -> list[str]:
    """The newest last; none if somebody wrote past the history, or a form kept no time."""
    if at is None or at.tzinfo is None:
        return []
    newest = ChangeList(study)[: MOST_CHANGES + 1]
    since = list(takewhile(lambda change: change.at > at, newest))
    more = ["There is more; the study's history has all of it."] if len(since) > MOST_CHANGES else []
    told = [_told(change) for change in reversed(since[:MOST_CHANGES])]
    return told + more or ["It was changed by a command or the shell."]


def _told(change: Change) -> str:
    fields = "; ".join(f"{one.field}: {_short(one.before)} → {_short(one.after)}" for one in change.fields)
    who = change.by or "a command"
    return f"{change.at:%H:%M} UTC, {who}: {change.what} {change.kind}" + (f" ({fields})." if fields else ".")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
