"""Who may pause, hasten or cancel a job."""

from typing import Any

from survey_site.access.roles import Role, may
from survey_site.stimuli.models import IRIJob


def may_steer(user: Any, job: IRIJob) -> bool:
    """Whoever queued it, and editors of its network."""
    return job.created_by_id == user.pk or may(user, Role.EDITOR, job.layer.network)
