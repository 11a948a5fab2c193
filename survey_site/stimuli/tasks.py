"""Housekeeping of the queue of record."""

from celery import shared_task

from survey_site.stimuli import services


@shared_task(name="stimuli.sweep")
def sweep() -> None:
    """Ring again for work without a live lease (Celery beat runs this)."""
    services.sweep()
