"""Results as pages show them: computed when answers have changed, stored, and only read by pages."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from survey_site.analysis.examples import example_trials
from survey_site.analysis.figures.catalogue import figures_of
from survey_site.analysis.models import (
    Exclusion,
    Observation,
    ObservationState,
    ResultFigure,
    StudyResults,
)
from survey_site.analysis.services import alignment_of, save_scores
from survey_site.participation.models import PREVIEW, StudySession
from survey_site.studies.exclusion_rules import Researcher
from survey_site.studies.models import Study

logger = logging.getLogger(__name__)

#: Advisory lock of whoever refreshes: one process at a time is enough for a site.
REFRESH_LOCK = 0x1F16
#: Part of every mark: another number computes all results anew.
FORMAT = 3
#: Lists of the report that grow with people or items, which no page shows whole.
LONG_LISTS = ("by_participant", "by_item")
MOST_OF_A_FAILURE = 500

MARKS = f"""
    SELECT session.study_id, session.mode, md5(concat_ws(';', max(observed.said), string_agg(
        concat_ws(' ', session.id, session.state, session.last_seen_at, own.reason), ',' ORDER BY session.id
    )))
    FROM {StudySession._meta.db_table} AS session
    LEFT JOIN {Exclusion._meta.db_table} AS own ON own.session_id = session.id AND own.rule = %(rule)s
    LEFT JOIN (
        SELECT study_id, string_agg(
            concat_ws(' ', observer, state IN %(ended)s, finished_at, reason), ',' ORDER BY observer) AS said
        FROM {Observation._meta.db_table} GROUP BY study_id
    ) AS observed ON observed.study_id = session.study_id
    WHERE session.mode <> '{PREVIEW}' AND (%(study)s::bigint IS NULL OR session.study_id = %(study)s)
    GROUP BY session.study_id, session.mode
"""  # noqa: S608 - names of our own tables


def stored_results(study: Study, mode: str) -> StudyResults | None:
    """What was computed last; its report is empty where another release wrote it, until computed again."""
    results = StudyResults.objects.filter(study=study, mode=mode).first()
    if results is not None and results.report.get("format") != FORMAT:
        results.report = {}
    return results


def refresh_results() -> int:
    """Compute the results of every study and mode that has changed since; returns how many were computed.

    Answers that come faster than a study is computed do not pile up: at most half of the time goes to one
    study. What cannot be computed keeps its former results, with the reason beside them, until something
    changes again. While another process refreshes, nothing happens.
    """
    with _only_one() as is_mine:
        due = due_results() if is_mine else []
        for study, mode, mark in due:
            try:
                compute_results(study, mode, mark=mark)
            except Exception as error:  # whatever the data of one study does, the others are waiting
                logger.exception("results of %s (%s) cannot be computed", study.slug, mode)
                _note_failure(study, mode, mark, error)
    return len(due)


def due_results() -> list[tuple[Study, str, str]]:
    """Study, mode and present mark of everything that has changed since it was computed."""
    marks = current_marks()
    settled = {
        (results.study_id, results.mode)
        for results in StudyResults.objects.only("study", "mode", "mark", "rests_until").annotate(
            rests=Q(rests_until__gt=Now())
        )
        if results.rests or results.mark == marks.get((results.study_id, results.mode))
    }
    due = sorted(marks.keys() - settled)
    studies = Study.objects.in_bulk({study for study, _ in due})
    return [(studies[study], mode, marks[study, mode]) for study, mode in due]


def current_marks(study: Study | None = None) -> dict[tuple[int, str], str]:
    """By study and mode a text that changes with every answer, session, exclusion by hand, and simulated
    observer that was asked or has ended.

    Answers are not read, since each of them moves its session's `last_seen_at`.
    """
    ended = (ObservationState.DONE.value, ObservationState.UNAVAILABLE.value)
    with connection.cursor() as cursor:
        cursor.execute(MARKS, {"rule": Researcher.name, "ended": ended, "study": study.pk if study else None})
        return {(pk, mode): f"{FORMAT}:{mark}" for pk, mode, mark in cursor.fetchall()}


def compute_results(study: Study, mode: str, *, mark: str | None = None) -> StudyResults:
    """Compute and store everything that the results page shows, and the scores. `mark`: as it is now."""
    if mark is None:
        mark = current_marks(study).get((study.pk, mode), f"{FORMAT}:")
    read_at, began = _database_now(), time.monotonic()
    report = alignment_of(study, mode)
    examples = example_trials(report["by_item"])
    figures = [
        ResultFigure(
            name=figure.name,
            position=position,
            title=figure.title,
            caption=figure.caption,
            description=figure.description,
            svg=figure.svg(),
            csv=figure.csv(),
        )
        for position, figure in enumerate(figures_of(report))
    ]
    seconds = time.monotonic() - began
    with transaction.atomic():
        save_scores(study, mode, report)
        results, _ = StudyResults.objects.update_or_create(
            study=study,
            mode=mode,
            defaults={
                "mark": mark,
                "read_at": read_at,
                "seconds": seconds,
                "rests_until": Now() + timedelta(seconds=seconds),
                "report": {"format": FORMAT}
                | {name: part for name, part in report.items() if name not in LONG_LISTS},
                "examples": examples,
                "failure": "",
            },
        )
        results.figures.all().delete()
        for figure in figures:
            figure.results = results
        ResultFigure.objects.bulk_create(figures)
    return results


def _note_failure(study: Study, mode: str, mark: str, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}"[:MOST_OF_A_FAILURE]
    StudyResults.objects.update_or_create(
        study=study, mode=mode, defaults={"mark": mark, "failure": reason, "rests_until": Now()}
    )


def _database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


@contextmanager
def _only_one() -> Iterator[bool]:
    """Whether nobody else is at it. The lock ends with the connection, so a killed process leaves none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [REFRESH_LOCK])
        [is_mine] = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [REFRESH_LOCK])
