"""Housekeeping towards recruiters, and bots."""

from celery import shared_task

from survey_site.participation.services import pilots
from survey_site.participation.services.pilots import RUN_PILOTS
from survey_site.participation.services.telling import tell_recruiters


@shared_task(name="participation.tell_recruiters")
def tell() -> None:
    """Send decisions about pay that wait to be sent (Celery beat runs this)."""
    tell_recruiters()


@shared_task(name=RUN_PILOTS)
def run_pilots(queue: str) -> None:
    """Take up bots that a researcher sent."""
    pilots.run_pilots()


@shared_task(name="participation.sweep_pilots")
def sweep_pilots() -> None:
    """Ring again for bots that wait (Celery beat runs this)."""
    pilots.sweep_pilots()
