"""Images and progress for people who are logged in to the admin."""

from __future__ import annotations

import uuid

from django.contrib.admin.views.decorators import staff_member_required
from django.http import FileResponse, HttpRequest, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from survey_site.stimuli.models import StoredImage
from survey_site.stimuli.progress import job_progress

MOST_JOBS = 200


@require_safe
@staff_member_required
@cache_control(private=True, immutable=True, max_age=86_400)
def admin_image(request: HttpRequest, image_id: uuid.UUID) -> FileResponse:
    image = get_object_or_404(StoredImage, pk=image_id)
    return FileResponse(image.file.open("rb"), content_type=image.media_type)


@require_safe
@staff_member_required
def progress(request: HttpRequest) -> HttpResponseBase:
    """?jobs=1,2,3 -> {"jobs": [{"job", "total", "done", "done_share", "status", "text", ...}]}"""
    wanted = request.GET.get("jobs", "").split(",")[:MOST_JOBS]
    if not all(job.isdecimal() and len(job) < 19 for job in wanted):  # fits a 64-bit id
        return HttpResponseBadRequest("jobs must be whole numbers joined by commas")
    return JsonResponse({"jobs": job_progress(map(int, wanted))})
