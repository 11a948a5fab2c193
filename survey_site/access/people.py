"""Researchers by their names."""

from typing import Any

from django.contrib.auth import get_user_model


class NoSuchPerson(Exception):
    """Nobody on the staff has this name; the message says who there is."""


def person(username: str) -> Any:
    """The active member of the staff with this username. Raises NoSuchPerson."""
    staff = get_user_model().objects.filter(is_active=True, is_staff=True)
    found = staff.filter(username=username).first()
    if found is None:
        known = ", ".join(staff.order_by("username").values_list("username", flat=True)[:20]) or "none yet"
        raise NoSuchPerson(f"there is no researcher {username!r}; there are: {known}")
    return found
