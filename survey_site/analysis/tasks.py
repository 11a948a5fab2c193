"""Housekeeping of the results and of the observers' queue."""

from celery import shared_task

from survey_site.analysis import observing
from survey_site.analysis.results import refresh_results
from survey_site.analysis.session_flags import refresh_flags


@shared_task(name="analysis.refresh_results")
def refresh() -> None:
    """Compute what has changed since it was computed (Celery beat runs this)."""
    refresh_results()


@shared_task(name="analysis.refresh_flags")
def flags() -> None:
    """Compute the flags of sessions that have moved since (Celery beat runs this)."""
    refresh_flags()


@shared_task(name="analysis.sweep_observations")
def sweep_observations() -> None:
    """Ring again for observers that wait (Celery beat runs this)."""
    observing.sweep_observations()
