"""What commands of this room have in common."""

from typing import Any

from django.core.management.base import CommandError

from survey_site.access.people import NoSuchPerson, person
from survey_site.studies.models import Study


def named_study(slug: str) -> Study:
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        known = ", ".join(Study.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise CommandError(f"there is no study {slug!r}; there are: {known}")
    return study


def named_person(username: str | None) -> Any:
    """None where no name was given: then it is the command itself that acts."""
    if not username:
        return None
    try:
        return person(username)
    except NoSuchPerson as error:
        raise CommandError(str(error)) from None
