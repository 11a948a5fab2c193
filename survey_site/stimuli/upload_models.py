"""What somebody uploaded to an image set, and what came of each file."""

from __future__ import annotations

import uuid
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q


def archive_path(archive: UploadedArchive, filename: str) -> str:
    """A name of ours: the person's own names nothing on our disk."""
    return f"uploads/{archive.pk}.zip"


class Outcome(models.TextChoices):
    ADDED = "added", "Added"
    DUPLICATE = "duplicate", "There already"
    REFUSED = "refused", "Refused"


class ImageUploadQuerySet(models.QuerySet["ImageUpload"]):
    def with_counts(self) -> Self:
        """n_added, n_duplicate, n_refused."""
        counts: dict[str, Any] = {
            f"n_{outcome}": Count("files", filter=Q(files__outcome=outcome)) for outcome in Outcome.values
        }
        return self.annotate(**counts)


class ImageUpload(models.Model):
    """One adding of images to a set: the report of what came of each file."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    image_set = models.ForeignKey("stimuli.ImageSet", on_delete=models.CASCADE, related_name="uploads")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    labels = models.JSONField(default=dict, help_text="The label of each folder that was dropped.")

    objects = ImageUploadQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"upload to {self.image_set} of {self.created_at:%Y-%m-%d %H:%M}"


class UploadedArchiveQuerySet(models.QuerySet["UploadedArchive"]):
    def unread(self) -> Self:
        return self.filter(n_read__lt=F("n_entries"))


class UploadedArchive(models.Model):
    """A ZIP that waits until it is read, some entries a request; its file goes with its last entry."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    upload = models.ForeignKey(ImageUpload, on_delete=models.CASCADE, related_name="archives")
    name = models.CharField(max_length=400)
    file = models.FileField(upload_to=archive_path, max_length=200, blank=True)
    n_entries = models.PositiveIntegerField()
    n_read = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UploadedArchiveQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name


class ImportedFile(models.Model):
    """What came of one file. The same file again in the same upload is the same row."""

    upload = models.ForeignKey(ImageUpload, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=400, help_text="As it was handed in; odd characters as U+XXXX.")
    sha256 = models.CharField(max_length=64, blank=True, help_text="Of its bytes; empty if refused unread.")
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.TextField(blank=True)
    target = models.ForeignKey(
        "stimuli.TargetImage",
        null=True,
        on_delete=models.SET_NULL,
        related_name="imports",
        help_text="The image that it became, or that it equals.",
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["upload", "path", "sha256"], name="a_file_once_per_upload"),
            models.CheckConstraint(condition=Q(outcome__in=Outcome.values), name="outcome_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.path}: {self.get_outcome_display()}"
