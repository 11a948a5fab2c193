"""How far a study is at this moment: sessions, minutes, catch trials, and answers a minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, DurationField, F, Q, Sum

from survey_site.analysis.flag_models import SessionFlags
from survey_site.analysis.session_counts import session_counts
from survey_site.participation.models import LogEntry, LogKind, SessionState, StudySession
from survey_site.studies.models import Study

MINUTES = 60


class Median(Aggregate):
    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"


def live_counts(study: Study, mode: str) -> dict[str, Any]:
    """`session_counts`, and beside them: dropped; away, which are under way but longer absent than the study
    waits, and active without those; by version; the median minutes of the finished ones; and the share of
    catch trials right among all that were answered (both None without any).
    """
    sessions = StudySession.objects.filter(study=study, mode=mode)
    counts = session_counts(study, mode)
    away = sessions.stale().count()
    more = sessions.aggregate(
        dropped=Count("pk", filter=Q(state=SessionState.DROPPED)),
        duration=Median(
            F("finished_at") - F("consented_at"),
            filter=Q(state=SessionState.FINISHED),
            output_field=DurationField(),
        ),
    )
    duration = more.pop("duration")
    return {
        **counts,
        **more,
        "active": counts["active"] - away,
        "away": away,
        "median_minutes": duration.total_seconds() / 60 if duration else None,
        "catch_rate": catch_rate(study, mode),
        "by_version": list(
            sessions.order_by("version__number").values_list("version__number").annotate(n=Count("pk"))
        ),
    }


def catch_rate(study: Study, mode: str) -> float | None:
    flags = SessionFlags.objects.filter(session__study=study, session__mode=mode)
    catch = flags.aggregate(right=Sum("catch_right"), answered=Sum("catch_answered"))
    return catch["right"] / catch["answered"] if catch["answered"] else None


RATE = f"""
    SELECT date_trunc('minute', entry.received_at), count(*)
    FROM {LogEntry._meta.db_table} AS entry
    JOIN {StudySession._meta.db_table} AS session ON session.id = entry.session_id
    WHERE session.study_id = %(study)s AND session.mode = %(mode)s AND entry.kind = '{LogKind.RESPONSE}'
    AND session.last_seen_at >= %(since)s AND entry.received_at >= %(since)s
    GROUP BY 1
"""  # noqa: S608 - names of our own tables


def responses_per_minute(study: Study, mode: str, *, now: datetime | None = None) -> list[int]:
    """Answered trials in each of the last `MINUTES` minutes, oldest first; the last is the present one.

    `now`: by the database's clock, unless it is given.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(%s::timestamptz, statement_timestamp())", [now])
        present = cursor.fetchone()[0].replace(second=0, microsecond=0)
        since = present - timedelta(minutes=MINUTES - 1)
        cursor.execute(RATE, {"study": study.pk, "mode": mode, "since": since})
        found = dict(cursor.fetchall())
    return [found.get(since + timedelta(minutes=minute), 0) for minute in range(MINUTES)]
