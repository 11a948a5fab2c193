"""The admin of the stimuli room, one subject a module."""

from survey_site.stimuli.admin import images, iris, jobs, networks, workers

__all__ = ["images", "iris", "jobs", "networks", "workers"]
