"""The system's status in the admin, for superusers: it names other people's jobs."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from survey_site.console.navigation import is_superuser
from survey_site.console.system_status import State, findings


@require_safe
@staff_member_required
@never_cache
def status(request: HttpRequest) -> HttpResponse:
    if not is_superuser(request):
        raise PermissionDenied("the system's status is for superusers")
    found = findings()
    context = {
        **admin.site.each_context(request),
        "title": "System status",
        "findings": found,
        "n_wrong": sum(one.state == State.BAD for one in found),
    }
    return render(request, "console/status.html", context)
