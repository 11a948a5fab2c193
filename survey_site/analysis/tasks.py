"""Housekeeping of the observers' queue."""

from celery import shared_task

from survey_site.analysis import observing


@shared_task(name="analysis.sweep_observations")
def sweep_observations() -> None:
    """Ring again for observers that wait (Celery beat runs this)."""
    observing.sweep_observations()
