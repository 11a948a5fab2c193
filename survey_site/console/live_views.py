"""The live page of a study: polled, and changed by what is done to the sessions that are selected."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page, require_POST, require_safe

from survey_site.access.roles import ExportLevel, Role, export_level, require_role
from survey_site.access.services import record_event
from survey_site.analysis.payments_file import stream_payments_csv
from survey_site.console.live import live_of
from survey_site.console.live_actions import ACTIONS, Outcome, act_on
from survey_site.console.live_form import ActionForm, offered_actions
from survey_site.console.live_query import wanted
from survey_site.console.live_table import filters_of, table_of, thresholds_of
from survey_site.console.views import visible_study

#: By what the poll asks for in its X-Live header.
PARTS = {"figures": "console/live_figures.html", "table": "console/live_table.html"}
MOST_NAMED = 5


@require_safe
@staff_member_required
@cache_control(private=True, no_cache=True)
@conditional_page
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """Figures, scores so far and the table of sessions; polls ask for one part at a time.

    Polls are answered by "not modified" until something has changed.
    """
    study, shown = visible_study(request, slug), wanted(request.GET)
    part = PARTS.get(request.headers.get("X-Live", ""))
    context: dict[str, Any] = {}
    if part != PARTS["table"]:
        context |= live_of(study, shown.mode, request.user)
    if part != PARTS["figures"]:
        context |= {
            "study": study,
            "actions": offered_actions(study, request.user),
            **table_of(study, shown, request.user),
        }
    if part is None:
        context |= {
            **admin.site.each_context(request),
            "title": f"Live: {study.name}",
            "filters": filters_of(shown),
            "thresholds": thresholds_of(context["version"]),
            "form": ActionForm(initial={"key": uuid.uuid4(), "back": shown.address()}),
        }
    response = render(request, part or "console/live.html", context)
    patch_vary_headers(response, ["X-Live"])
    return response


@require_POST
@staff_member_required
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """Do the form's action to the selected sessions, and say what became of each."""
    study = visible_study(request, slug)
    form = ActionForm(request.POST)
    if not form.is_valid():
        require_role(request.user, Role.ANALYST, study)
        for name, errors in form.errors.items():
            messages.error(request, f"{name.capitalize()}: {' '.join(map(str, errors))}")
        return _back(request, slug)
    given = form.cleaned_data
    require_role(request.user, ACTIONS[given["action"]].role, study)
    outcome = act_on(
        study=study, name=given["action"], keys=given["sessions"], given=given, user=request.user
    )
    _say(request, given["action"], outcome)
    return _back(request, slug)


@require_safe
@staff_member_required
def payments_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every decision about pay; recruiter ids only for those whose exports have everything."""
    study = visible_study(request, slug)
    require_role(request.user, Role.OWNER, study)
    has_ids = export_level(request.user, study) == ExportLevel.FULL
    record_event(user=request.user, action="export payments", subject=study, detail={"ids": has_ids})
    response = StreamingHttpResponse(
        stream_payments_csv(study, has_recruiter_ids=has_ids), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{slug}-payments.csv"'
    return response


def _back(request: HttpRequest, slug: str) -> HttpResponse:
    query = wanted(QueryDict(request.POST.get("back", ""))).address()
    return redirect(reverse("live", args=[slug]) + (f"?{query}" if query else ""))


def _say(request: HttpRequest, name: str, outcome: Outcome) -> None:
    action = ACTIONS[name]
    if outcome.done:
        messages.success(request, f"{_counted(outcome.done)} {action.done}.")
    if outcome.same:
        messages.info(request, f"{_counted(outcome.same)} unchanged: {action.same}.")
    for reason, keys in outcome.refused.items():
        messages.error(request, f"{_counted(keys)} unchanged ({_named(keys)}): {reason}.")
    if outcome.unknown:
        messages.error(
            request, f"{_counted(outcome.unknown)} ({_named(outcome.unknown)}): not of this study."
        )


def _counted(keys: Sequence[UUID]) -> str:
    return f"{len(keys)} session{'' if len(keys) == 1 else 's'}"


def _named(keys: Sequence[UUID]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(str(key)[:8] for key in keys[:MOST_NAMED]) + more
