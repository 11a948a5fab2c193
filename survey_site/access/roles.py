"""What a role allows. Studies, image sets and networks are shared by membership; superusers own everything.

Roles are ordered: whoever holds one may do what the lesser ones allow.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404

from survey_site.access.models import Membership, Role, User, at_least

__all__ = ["ExportLevel", "Role", "at_least", "export_level", "may", "require_role", "role_of"]


class ExportLevel(IntEnum):
    """How much of a study's data somebody may take away."""

    NONE = 0
    DEIDENTIFIED = 1
    FULL = 2

    @property
    def label(self) -> str:
        return {0: "none", 1: "de-identified", 2: "full"}[self.value]


def is_researcher(user: Any) -> bool:
    """Whoever may log in to the admin: an active member of the staff."""
    return bool(user and user.is_active and user.is_staff)


def role_of(user: Any, thing: Model) -> Role | None:
    """The role of `user` on a study, image set or network; None if it is not shared with them."""
    if not is_researcher(user):
        return None
    if user.is_superuser:
        return Role.OWNER
    held = Membership.objects.of(user, type(thing)).filter(object_id=str(thing.pk))
    role = held.values_list("role", flat=True).first()
    return Role(role) if role else None


def may(user: Any, role: Role, thing: Model) -> bool:
    """Whether `user` holds `role` on the thing, or one that allows more."""
    held = role_of(user, thing)
    return held is not None and held in at_least(role)


def require_role(user: Any, role: Role, thing: Model) -> None:
    """Raises Http404 for those whom the thing is not shared with, and PermissionDenied for a lesser role."""
    held = role_of(user, thing)
    if held is None:
        raise Http404(f"there is no such {thing._meta.verbose_name}")
    if held not in at_least(role):
        raise PermissionDenied(
            f"this takes the role {role.label.lower()} on {thing}; yours is {held.label.lower()}"
        )


def export_level(user: User, study: Model) -> ExportLevel:
    """Owners take everything with recruiter ids, editors and analysts without, viewers nothing."""
    held = role_of(user, study)
    if held == Role.OWNER:
        return ExportLevel.FULL
    return ExportLevel.DEIDENTIFIED if held in at_least(Role.ANALYST) else ExportLevel.NONE
