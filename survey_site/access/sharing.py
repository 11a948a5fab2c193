"""Giving and taking roles, so that somebody is always left who may."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction

from survey_site.access.models import Membership, Role
from survey_site.access.services import give_role, record_event


class SharingRefused(Exception):
    """A role that is not given or taken; the message says why."""


@transaction.atomic
def share(*, thing: models.Model, user: Any, role: Role, by: Any = None) -> None:
    """Give the researcher this role on the thing, instead of one that they hold.

    Raises SharingRefused if that would leave it without an owner.
    """
    if role != Role.OWNER:
        _refuse_last_owner(thing, user)
    give_role(user=user, role=role, of=thing)
    _note(thing, by)


@transaction.atomic
def unshare(*, thing: models.Model, user: Any, by: Any = None) -> bool:
    """Take the researcher's role; whether they held one. Raises SharingRefused for the last owner."""
    _refuse_last_owner(thing, user)
    taken, _ = Membership.objects.on(thing).filter(user=user).delete()
    if taken:
        _note(thing, by)
    return bool(taken)


def _refuse_last_owner(thing: models.Model, user: Any) -> None:
    """The roles are locked, so that two owners who leave at once do not both go."""
    roles = Membership.objects.on(thing).select_for_update(of=("self",)).order_by("pk")
    owners = [one.user_id for one in roles if one.role == Role.OWNER]
    if owners == [user.pk]:
        raise SharingRefused(f"{user} is the last owner of {thing}; make somebody else owner first")


def _note(thing: models.Model, by: Any) -> None:
    roles = {str(one.user): one.role for one in Membership.objects.on(thing)}
    record_event(user=by, action="share", subject=thing, detail={"roles": roles})
