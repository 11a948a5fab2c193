"""The results of one study, its figures and its report."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_safe

from survey_site.access.roles import ExportLevel, export_level
from survey_site.access.services import record_event
from survey_site.analysis import report_files
from survey_site.analysis.figures.catalogue import figures_of
from survey_site.analysis.models import ResultFigure, StudyResults
from survey_site.analysis.results import stored_results
from survey_site.console.observers import observer_form
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


def wanted_results(request: HttpRequest, slug: str) -> StudyResults:
    """The stored results; none are to be had before something was answered and computed."""
    study, mode = visible_study(request, slug), wanted_mode(request)
    results = stored_results(study, mode)
    if results is None or not results.report:
        raise Http404(f"no results of {mode} sessions have been computed yet")
    return results


def wanted_figure(request: HttpRequest, slug: str, name: str) -> ResultFigure:
    results = wanted_results(request, slug)
    found = results.figures.filter(name=name).first()
    if found is None:
        known = ", ".join(results.figures.values_list("name", flat=True))
        raise Http404(f"there is no figure {name!r}; there are: {known}")
    return found


@require_safe
@staff_member_required
@cache_control(private=True, no_cache=True)
@conditional_page
def results(request: HttpRequest, slug: str) -> HttpResponse:
    """Scores with intervals and the figures; polls for its live part alone.

    Polls are answered by "not modified" until something has changed.
    """
    study = visible_study(request, slug)
    context: dict[str, Any] = results_of(study, wanted_mode(request))
    if request.headers.get("X-Live"):
        response = render(request, "console/results_live.html", context)
    else:
        context |= {
            **admin.site.each_context(request),
            "title": f"Results: {study.name}",
            "observer_form": observer_form(study, request.user),
            "may_export": export_level(request.user, study) > ExportLevel.NONE,
        }
        response = render(request, "console/results.html", context)
    patch_vary_headers(response, ["X-Live"])
    return response


@require_safe
@staff_member_required
def figure_svg(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    figure = wanted_figure(request, slug, name)
    return _download(figure.svg, "image/svg+xml", f"{slug}-{figure.results.mode}-{name}.svg")


@require_safe
@staff_member_required
def figure_png(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Drawn when it is asked for, from the stored report."""
    stored = wanted_figure(request, slug, name).results
    figure = next(figure for figure in figures_of(stored.report) if figure.name == name)
    return _download(figure.png(), "image/png", f"{slug}-{stored.mode}-{name}.png")


@require_safe
@staff_member_required
def figure_csv(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """The data in the figure."""
    figure = wanted_figure(request, slug, name)
    _note(request, figure.results, f"figure {name}")
    return _download(figure.csv, "text/csv; charset=utf-8", f"{slug}-{figure.results.mode}-{name}.csv")


@require_safe
@staff_member_required
def report_html(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything the page shows, in one file that needs nothing else."""
    stored = wanted_results(request, slug)
    _note(request, stored, "report as HTML")
    return _download(
        report_files.report_html(stored), "text/html; charset=utf-8", f"{slug}-{stored.mode}-report.html"
    )


@require_safe
@staff_member_required
def report_pdf(request: HttpRequest, slug: str) -> HttpResponse:
    """The same on paper."""
    stored = wanted_results(request, slug)
    _note(request, stored, "report as PDF")
    return _download(report_files.report_pdf(stored), "application/pdf", f"{slug}-{stored.mode}-report.pdf")


def _note(request: HttpRequest, results: StudyResults, what: str) -> None:
    detail = {"what": what, "mode": results.mode}
    record_event(user=request.user, action="export results", subject=results.study, detail=detail)


def _download(content: str | bytes, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
