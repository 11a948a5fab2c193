"""Housekeeping across rooms."""

from celery import shared_task

from survey_site.console.notices import notify as write_and_send


@shared_task(name="console.notify")
def notify() -> None:
    """Tell people by mail what happened, where mail is set up (Celery beat runs this)."""
    write_and_send()
