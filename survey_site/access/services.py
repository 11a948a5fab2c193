"""Writes of the access room."""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import models

from survey_site.access.models import AuditEvent, Membership, Role, User


def make_owner(*, user: User | None, of: models.Model) -> None:
    """Give `user` the owner's role on the object; nothing happens when nobody is logged in (commands)."""
    if user is None or user.pk is None:
        return
    give_role(user=user, role=Role.OWNER, of=of)


def give_role(*, user: Any, role: Role, of: models.Model) -> None:
    """Give `user` the role on the study, image set or network, instead of one that they hold."""
    Membership.objects.update_or_create(
        user_id=user.pk,
        content_type=ContentType.objects.get_for_model(of),
        object_id=str(of.pk),
        defaults={"role": role},
    )


def record_event(
    *, user: User | None, action: str, subject: object, detail: dict[str, Any] | None = None
) -> None:
    """Write one line of the audit log."""
    AuditEvent.objects.create(
        user_id=user.pk if user else None, action=action, subject=str(subject)[:200], detail=detail or {}
    )
