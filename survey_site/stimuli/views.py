"""Progress for people who are logged in to the admin."""

from __future__ import annotations

from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponseBadRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from survey_site.stimuli.models import IRIJob
from survey_site.stimuli.progress import job_progress

MOST_JOBS = 200


@require_safe
@staff_member_required
def progress(request: HttpRequest) -> HttpResponseBase:
    """?jobs=1,2,3 -> {"jobs": [{"job", "total", "done", "done_share", "status", "text", ...}]}"""
    wanted = request.GET.get("jobs", "").split(",")[:MOST_JOBS]
    if not all(job.isdecimal() and len(job) < 19 for job in wanted):  # fits a 64-bit id
        return HttpResponseBadRequest("jobs must be whole numbers joined by commas")
    visible = IRIJob.objects.visible_to(request.user).filter(pk__in=map(int, wanted))
    return JsonResponse({"jobs": job_progress(visible.values_list("pk", flat=True))})
