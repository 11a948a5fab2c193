"""Single-use links: made here, handed out by the researcher, each for one person."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from survey_site.participation.errors import Forbidden
from survey_site.participation.models import RecruiterId, SingleUseLink
from survey_site.participation.tokens import external_id_hash
from survey_site.studies.models import Study

MOST_LINKS = 10_000
HEADER = ("link", "made_utc", "used")


class LinksRefused(Exception):
    """A number of links that is not made; the message says what is allowed."""


def make_links(*, study: Study, n: int) -> list[SingleUseLink]:
    """New links of the study. Raises LinksRefused for none and for more than a study has use for."""
    if not 1 <= n <= MOST_LINKS:
        raise LinksRefused(f"{n} links were asked for; allowed: 1 to {MOST_LINKS:,}")
    return SingleUseLink.objects.bulk_create(
        [SingleUseLink(study=study, token=secrets.token_urlsafe(16)) for _ in range(n)]
    )


def use_link(*, study: Study, token: str) -> None:
    """Note that the link is in use. Raises Forbidden as `usable_link` does."""
    link = usable_link(SingleUseLink.objects.select_for_update(), study=study, token=token)
    if link.used_at is None:
        SingleUseLink.objects.filter(pk=link.pk).update(used_at=Now())


def usable_link(links: QuerySet[SingleUseLink], *, study: Study, token: str) -> SingleUseLink:
    """The link with this token. Raises Forbidden for one that is not of this study.

    A link whose session has been deleted since makes no other.
    """
    link = links.filter(study=study, token=token).first()
    if link is None:
        raise Forbidden("unknown_link", "this link was not made for this study")
    if link.used_at is None:
        return link
    if not RecruiterId.objects.filter(
        recruiter="single_use", external_id_hash=external_id_hash("single_use", token)
    ).exists():
        raise Forbidden("link_used", "this link was used before, and nothing is kept of that")
    return link


def link_rows(links: Iterator[SingleUseLink]) -> Iterator[tuple[str, str, int]]:
    """Address, time and whether it was used, for a file."""
    for link in links:
        yield address_of(link), link.created_at.isoformat(timespec="seconds"), int(link.used_at is not None)


def address_of(link: SingleUseLink) -> str:
    return f"{settings.PUBLIC_URL}{reverse('survey-page', args=[link.study.slug])}?link={link.token}"
