"""Mails that are owed to somebody: each written once, and sent when a mail server takes it."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

MOST_ATTEMPTS = 8


class NoticeQuerySet(models.QuerySet["Notice"]):
    def due(self) -> Self:
        """Not sent, nobody is at it, and there is still reason to try."""
        waited = Q(next_try=None) | Q(next_try__lt=Now())
        return self.filter(waited, sent_at=None, attempts__lt=MOST_ATTEMPTS)


class Notice(models.Model):
    """One mail. `key` names what happened, so that it is written once whoever notices it, however often."""

    key = models.CharField(max_length=200, unique=True)
    recipients = models.JSONField(help_text="Addresses, as they were when it happened.")
    subject = models.CharField(max_length=200)
    body = models.TextField()
    written_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    next_try = models.DateTimeField(null=True)
    failure = models.CharField(max_length=500, blank=True, help_text="Why the last attempt failed.")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ["-written_at"]

    def __str__(self) -> str:
        return self.subject
