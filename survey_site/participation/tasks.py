"""Housekeeping towards recruiters."""

from celery import shared_task

from survey_site.participation.services.telling import tell_recruiters


@shared_task(name="participation.tell_recruiters")
def tell() -> None:
    """Send decisions about pay that wait to be sent (Celery beat runs this)."""
    tell_recruiters()
