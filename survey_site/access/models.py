"""Who may do what: roles on studies, image sets and networks, and a log of what was done."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from simple_history.models import HistoricalRecords

from survey_site.access.dependants import NamesDependantsQuerySet
from survey_site.access.notice_models import Notice
from survey_site.access.token_models import ApiToken, Scope

__all__ = [
    "ApiToken",
    "AuditEvent",
    "Membership",
    "Notice",
    "Role",
    "Scope",
    "SharedQuerySet",
    "User",
    "at_least",
]

User = AbstractBaseUser | AnonymousUser


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    EDITOR = "editor", "Editor"
    ANALYST = "analyst", "Analyst"
    VIEWER = "viewer", "Viewer"


def at_least(role: Role) -> tuple[Role, ...]:
    """The role and those that allow more."""
    order = [Role.VIEWER, Role.ANALYST, Role.EDITOR, Role.OWNER]
    return tuple(order[order.index(role) :])


class MembershipQuerySet(models.QuerySet["Membership"]):
    def of(self, user: User, model: type[models.Model]) -> Self:
        return self.filter(user_id=user.pk, content_type=ContentType.objects.get_for_model(model))

    def on(self, thing: models.Model) -> Self:
        return self.filter(
            content_type=ContentType.objects.get_for_model(thing), object_id=str(thing.pk)
        ).select_related("user")


class Membership(models.Model):
    """One person's role on one study, image set or network."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.CharField(max_length=64)
    content_object = GenericForeignKey()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "content_type", "object_id"], name="one_role_per_person_and_object"
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} of {self.content_object}"


class SharedQuerySet(NamesDependantsQuerySet):
    """Rows that are shared by membership."""

    def visible_to(self, user: User) -> Self:
        """Everything for superusers; for others what they hold any role on."""
        return self.held_by(user, Role.VIEWER)

    def held_by(self, user: User, role: Role) -> Self:
        """Everything for superusers; for others what they hold `role` on, or one that allows more."""
        if getattr(user, "is_superuser", False):
            return self
        held = Membership.objects.of(user, self.model).filter(role__in=at_least(role))
        return self.filter(pk__in=list(held.values_list("object_id", flat=True)))


class AuditEvent(models.Model):
    """An opening, an export or another act that somebody may have to account for. Never changed."""

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    action = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["-at"], name="audit_newest_first")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.action} {self.subject}"
