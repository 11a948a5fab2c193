"""Keys with which programs act for a researcher."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Scope(models.TextChoices):
    """What a token may do at most; what is shared with its researcher is for the roles to say."""

    READ = "read", "Read: everything that is shared with you"
    WRITE = "write", "Write: networks, image sets, recipes, drafts of studies"
    QUEUE = "queue", "Queue: jobs, their priority, pausing and cancelling"
    RUN = "run", "Run: preview, pilot, open, pause, close; decide about sessions"
    EXPORT = "export", "Export: take data away"
    SHARE = "share", "Share: give and take roles"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self) -> Self:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)


class ApiToken(models.Model):
    """A researcher's token: only its hash is kept, so it is shown once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=60, help_text="What it is for, such as “analysis notebook”.")
    prefix = models.CharField(max_length=12, editable=False, help_text="Its first characters, to tell it by.")
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    # How often it was used in the present minute: counted here, so that all processes count together.
    minute_began_at = models.DateTimeField(null=True, editable=False)
    n_this_minute = models.PositiveIntegerField(default=0, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API token"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=Q(revoked_at=None),
                name="one_valid_token_per_person_and_name",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
