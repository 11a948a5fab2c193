"""Taking a study's data away: the page, the files sent at once, and those written in the background."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from survey_site.access.roles import ExportLevel, Role, export_level, require_role
from survey_site.analysis.exporting.jobs import log_export, request_export, selection_of
from survey_site.analysis.exporting.kinds import KINDS, Kind, kind_named
from survey_site.analysis.exporting.selection import ExportRefused, Filters, Selection
from survey_site.analysis.models import Export, ExportState
from survey_site.console.export_form import ExportForm
from survey_site.console.views import visible_study
from survey_site.participation.models import Mode, SessionState, StudySession
from survey_site.studies.models import Study

SHOWN = 20
LEVEL_NAMES = {level.label: level for level in (ExportLevel.DEIDENTIFIED, ExportLevel.FULL)}


def exported_study(request: HttpRequest, slug: str) -> Study:
    """The study if this person may take its data away. Raises PermissionDenied for viewers."""
    study = visible_study(request, slug)
    require_role(request.user, Role.ANALYST, study)
    return study


def require_level(request: HttpRequest, study: Study, level: ExportLevel) -> None:
    """Raises PermissionDenied, which says what the person may take, for more than that."""
    allowed = export_level(request.user, study)
    if level > allowed:
        raise PermissionDenied(
            f"a {level.label} export of {study} is for its owners; what you may take is {allowed.label}"
        )


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """The form, and the files written in the background, which a poll brings up to date."""
    study = exported_study(request, slug)
    if request.headers.get("X-Live"):
        return render(request, "console/export_live.html", _written(request, study))
    allowed = export_level(request.user, study)
    form = ExportForm(
        request.POST or None,
        study=study,
        allowed=allowed,
        initial={"mode": request.GET.get("mode", Mode.REAL)},
    )
    if request.method == "POST" and form.is_valid() and form.selection:
        require_level(request, study, form.selection.level)
        return _begin(
            request, form.selection, KINDS[form.cleaned_data["kind"]], form.cleaned_data["in_background"]
        )
    context = {
        **admin.site.each_context(request),
        **_written(request, study),
        "title": f"Export: {study.name}",
        "form": form,
        "kinds": KINDS.values(),
        "counts": [(label, _counted(study, mode)) for mode, label in Mode.choices],
    }
    return render(request, "console/export.html", context, status=400 if form.errors else 200)


def _begin(request: HttpRequest, selection: Selection, kind: Kind, in_background: bool) -> HttpResponse:
    """A file sent at once; or, if there are many answers, one written in the background."""
    is_large = kind.of_answers and _most_answers(selection) > settings.EXPORT_BACKGROUND_ROWS
    if in_background or is_large:
        request_export(selection=selection, kind=kind, by=request.user)
        messages.success(request, f"{kind.title} is being written; its link appears below.")
        return redirect("export", selection.study.slug)
    query = {**selection.filters.to_dict(), "level": selection.level.label}
    address = reverse("export-download", args=[selection.study.slug, kind.name])
    return redirect(f"{address}?{urlencode(query)}")


def _most_answers(selection: Selection) -> int:
    """No fewer than there are, from how far the sessions' logs reach, without looking at the answers."""
    reach = selection.sessions().order_by().aggregate(reach=Sum("last_seq"))["reach"]
    return reach or 0


def _counted(study: Study, mode: str) -> tuple[int, int]:
    """Sessions of all, and those that finished."""
    sessions = StudySession.objects.filter(study=study, mode=mode)
    return sessions.count(), sessions.filter(state=SessionState.FINISHED).count()


def _written(request: HttpRequest, study: Study) -> dict[str, Any]:
    found = study.exports.within(export_level(request.user, study)).select_related("requested_by")[:SHOWN]
    return {"study": study, "written": [(one, KINDS[one.kind].title, _said(one)) for one in found]}


def _said(export: Export) -> str:
    """Its filters in a few words."""
    given = Filters.read(export.filters).to_dict()
    words = {"since": "from", "until": "to", "exclusions": "exclusions"}
    return ", ".join(
        f"{words.get(name, name)} {value}" if name != "mode" else value for name, value in given.items()
    )


@require_safe
@staff_member_required
def download(request: HttpRequest, slug: str, name: str) -> HttpResponseBase:
    """The file, sent while it is read. The query has the filters, and `level` de-identified or full."""
    study = exported_study(request, slug)
    if name not in KINDS:
        raise Http404(f"there is no export {name!r}; there are: {', '.join(KINDS)}")
    kind = kind_named(name)
    try:
        _refuse_unknown(request)
        selection = Selection(study, Filters.read(request.GET.dict()), _level(request))
    except ExportRefused as refusal:
        return HttpResponseBadRequest(f"{refusal}\n", content_type="text/plain; charset=utf-8")
    require_level(request, study, selection.level)
    parts: Iterable[bytes] = []
    if request.method == "GET":
        log_export(by=request.user, kind=kind, selection=selection)
        parts = kind.stream(selection, lambda done, total: None)
    response = StreamingHttpResponse(parts, content_type=kind.content_type)
    response["Content-Disposition"] = f'attachment; filename="{kind.file_name(selection)}"'
    return response


def _refuse_unknown(request: HttpRequest) -> None:
    """A filter that is misspelled must not be a filter that does nothing."""
    allowed = (*Filters.names(), "level")
    if unknown := [name for name in request.GET if name not in allowed]:
        raise ExportRefused(f"there is no filter {unknown[0]!r}; allowed: {', '.join(allowed)}")


def _level(request: HttpRequest) -> ExportLevel:
    name = request.GET.get("level", ExportLevel.DEIDENTIFIED.label)
    if name not in LEVEL_NAMES:
        raise ExportRefused(f"level is {name!r}; allowed: {', '.join(LEVEL_NAMES)}")
    return LEVEL_NAMES[name]


@require_safe
@staff_member_required
def file(request: HttpRequest, export_id: UUID) -> HttpResponseBase:
    """A file that was written in the background, for whoever may export as much."""
    export = get_object_or_404(Export.objects.select_related("study"), pk=export_id)
    study = exported_study(request, export.study.slug)
    require_level(request, study, ExportLevel(export.level))
    if export.state != ExportState.DONE:
        raise Http404(f"this export has no file: {export.get_state_display()}")
    kind, selection = KINDS[export.kind], selection_of(export)
    log_export(by=request.user, kind=kind, selection=selection, action="download an export")
    return FileResponse(
        export.file.open("rb"),
        as_attachment=True,
        filename=kind.file_name(selection),
        content_type=kind.content_type,
    )
