"""Writing and sending notices. Nothing is written, and nothing sent, where no mail server is named."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import EmailMessage, get_connection
from django.db import models, transaction
from django.db.models import F
from django.db.models.functions import Now

from survey_site.access.models import Membership, Notice, Role

logger = logging.getLogger(__name__)

#: A sender that was not heard of for so long is gone; longer than a mail server may take to answer.
LEASE = timedelta(minutes=2)
FIRST_WAIT = timedelta(minutes=1)


def is_mail_set_up() -> bool:
    return bool(settings.EMAIL_URL)


def owners_of(thing: models.Model) -> list[str]:
    """Addresses of the owners who have one and may log in."""
    owners = Membership.objects.on(thing).filter(role=Role.OWNER).values("user")
    return addresses(get_user_model().objects.filter(pk__in=owners, is_active=True))


def addresses(people: models.QuerySet) -> list[str]:
    return sorted(set(people.exclude(email="").values_list("email", flat=True)))


def write_notice(*, key: str, recipients: Iterable[str], subject: str, body: str) -> bool:
    """Write it unless it was written before, or nobody has an address; whether it was."""
    people = list(recipients)
    if not people:
        return False
    one_line = " ".join(subject.split())[:200]
    _, made = Notice.objects.get_or_create(
        key=key, defaults={"recipients": people, "subject": one_line, "body": body}
    )
    return made


def send_notices(*, at_most: int = 50) -> int:
    """Send what is due; how many were sent.

    A notice is claimed under a lease before it is sent, and marked after. Whoever is killed before the mail
    server has it leaves it to the next sweep. Killed between the server's answer and the mark, it is sent
    again, under the same Message-ID, by which mail programs know it.
    """
    if not is_mail_set_up():
        return 0
    sent = 0
    for _ in range(at_most):
        notice = claim_notice()
        if notice is None:
            break
        sent += send_notice(notice)
    return sent


@transaction.atomic
def claim_notice() -> Notice | None:
    """The oldest that is due, now under a lease; None if none is."""
    notice = Notice.objects.due().order_by("written_at").select_for_update(skip_locked=True).first()
    if notice is not None:
        Notice.objects.filter(pk=notice.pk).update(next_try=Now() + LEASE, attempts=F("attempts") + 1)
        notice.attempts += 1
    return notice


def send_notice(notice: Notice) -> bool:
    """Whether the mail server took it; if not, it is tried again later, each time twice as late."""
    name = hashlib.sha256(f"{settings.SECRET_KEY}:{notice.key}".encode()).hexdigest()[:32]
    message = EmailMessage(
        notice.subject,
        notice.body,
        settings.DEFAULT_FROM_EMAIL,
        notice.recipients,
        headers={"Message-ID": f"<{name}@irisurvey>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )
    try:
        message.send()
    except (SMTPException, OSError, ValueError) as error:  # ValueError: an address that cannot be written
        logger.warning("notice %s cannot be sent: %s", notice.key, error)
        wait = FIRST_WAIT * 2 ** (notice.attempts - 1)
        Notice.objects.filter(pk=notice.pk).update(
            failure=f"{type(error).__name__}: {error}"[:500], next_try=Now() + wait
        )
        return False
    Notice.objects.filter(pk=notice.pk).update(sent_at=Now(), failure="")
    return True
