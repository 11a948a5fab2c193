"""The web site. Celery's app is loaded with it so that tasks can be sent by name from anywhere."""

from survey_site.celery import app as celery_app

__all__ = ["celery_app"]
