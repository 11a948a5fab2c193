"""Stored images for people who are logged in to the admin, by what is shared with them."""

from __future__ import annotations

import io
import uuid
from typing import Any

from django.contrib.admin.views.decorators import staff_member_required
from django.db.models import Q
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from PIL import Image

from survey_site.stimuli.models import IRI, ImageSet, StoredImage, TargetImage
from survey_site.studies.models import LabelIcon, Study, TrialOption, TrialReference

THUMBNAIL_PX = 256


@require_safe
@staff_member_required
@cache_control(private=True, immutable=True, max_age=86_400)
def admin_image(request: HttpRequest, image_id: uuid.UUID) -> FileResponse:
    image = _shared_image(request, image_id)
    return FileResponse(image.file.open("rb"), content_type=image.media_type)


@require_safe
@staff_member_required
@cache_control(private=True, immutable=True, max_age=86_400)
def admin_thumbnail(request: HttpRequest, image_id: uuid.UUID) -> HttpResponse:
    """A small copy: a page of whole photographs would be a hundred megabytes."""
    image = _shared_image(request, image_id)
    with image.file.open("rb") as file, Image.open(file) as picture:
        picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
        small = io.BytesIO()
        picture.convert("RGB").save(small, format="WEBP", quality=80)
    return HttpResponse(small.getvalue(), content_type="image/webp")


def _shared_image(request: HttpRequest, image_id: uuid.UUID) -> StoredImage:
    image = get_object_or_404(StoredImage, pk=image_id)
    if not request.user.is_superuser and not is_shared(image, request.user):
        raise Http404("there is no such image")
    return image


def is_shared(image: StoredImage, user: Any) -> bool:
    """Whether the image belongs to a set, an IRI or a study that is shared with `user`."""
    sets, studies = ImageSet.objects.visible_to(user), Study.objects.visible_to(user)
    of_iri = Q(image=image) | Q(start_image=image) | Q(target_resized=image)
    homes = [
        TargetImage.objects.filter(image=image, image_set__in=sets),
        IRI.objects.visible_to(user).filter(of_iri),
        LabelIcon.objects.filter(image=image, study__in=studies),
        TrialOption.objects.filter(image=image, trial__version__study__in=studies),
        TrialReference.objects.filter(image=image, trial__version__study__in=studies),
    ]
    return any(rows.exists() for rows in homes)
