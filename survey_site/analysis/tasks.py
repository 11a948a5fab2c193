"""Housekeeping of the results, of the observers' queue and of the exports."""

from celery import shared_task

from survey_site.analysis import observing
from survey_site.analysis.exporting import jobs
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


@shared_task(name=jobs.WRITE_EXPORTS)
def write_exports(queue: str = jobs.QUEUE) -> None:
    """Write the exports that wait."""
    jobs.write_exports()


@shared_task(name="analysis.sweep_exports")
def sweep_exports() -> None:
    """Ring again for exports that wait, and delete files that are no longer kept (Celery beat runs this)."""
    jobs.sweep_exports()
