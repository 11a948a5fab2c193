"""Pages that look across rooms: results and exports of one study."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from survey_site.access.services import record_event
from survey_site.analysis import exports
from survey_site.console.results import results_of
from survey_site.participation.models import Mode
from survey_site.studies.models import Study


def visible_study(request: HttpRequest, slug: str) -> Study:
    """The study if this person may see it; else it does not exist."""
    study: Study = get_object_or_404(Study.objects.visible_to(request.user), slug=slug)
    return study


def wanted_mode(request: HttpRequest) -> str:
    mode = request.GET.get("mode", Mode.REAL)
    if mode not in Mode.values:
        raise Http404(f"mode is {mode!r}; allowed: {', '.join(Mode.values)}")
    return mode


@require_safe
@staff_member_required
def results(request: HttpRequest, slug: str) -> HttpResponse:
    """Scores with intervals, the figure and the exports; polls for its live part alone."""
    study = visible_study(request, slug)
    context: dict[str, Any] = results_of(study, wanted_mode(request))
    if request.headers.get("X-Live"):
        return render(request, "console/results_live.html", context)
    context |= {**admin.site.each_context(request), "title": f"Results: {study.name}"}
    return render(request, "console/results.html", context)


@require_safe
@staff_member_required
def figure_svg(request: HttpRequest, slug: str) -> HttpResponse:
    """The forest plot alone, to download."""
    study = visible_study(request, slug)
    mode = wanted_mode(request)
    figure = results_of(study, mode)["figure"]
    if not figure:
        raise Http404("there are no scored responses yet")
    response = HttpResponse(figure, content_type="image/svg+xml")
    response["Content-Disposition"] = f'attachment; filename="{slug}-{mode}.svg"'
    return response


@require_safe
@staff_member_required
def responses_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    study, mode = visible_study(request, slug), wanted_mode(request)
    record_event(user=request.user, action="export responses", subject=study, detail={"mode": mode})
    return _csv(exports.stream_responses_csv(study, mode=mode), f"{slug}-{mode}-responses.csv")


@require_safe
@staff_member_required
def conditions_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    study = visible_study(request, slug)
    record_event(user=request.user, action="export conditions", subject=study)
    return _csv(exports.stream_conditions_csv(study), f"{slug}-conditions.csv")


def _csv(lines: Any, name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
