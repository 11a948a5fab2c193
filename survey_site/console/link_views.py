"""Single-use links of a study: made, counted and downloaded by whoever may change it."""

from __future__ import annotations

import csv
import io

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from survey_site.access.roles import Role, require_role
from survey_site.access.services import record_event
from survey_site.console.views import visible_study
from survey_site.participation.models import SingleUseLink
from survey_site.participation.recruitment.links import HEADER, MOST_LINKS, link_rows, make_links
from survey_site.studies.models import Recruiter, Study


class LinksForm(forms.Form):
    n = forms.IntegerField(min_value=1, max_value=MOST_LINKS, initial=50, label="How many")


@require_http_methods(["GET", "HEAD", "POST"])
@staff_member_required
def links(request: HttpRequest, slug: str) -> HttpResponse:
    """How many links there are and how many are used; a form that makes more."""
    study = _study(request, slug)
    form = LinksForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = make_links(study=study, n=form.cleaned_data["n"])
        record_event(user=request.user, action="make links", subject=study, detail={"n": len(made)})
        messages.success(request, f"{len(made)} new links; the file below has them.")
        return redirect("single-use-links", study.slug)
    found = SingleUseLink.objects.filter(study=study)
    context = {
        **admin.site.each_context(request),
        "title": f"Single-use links: {study.name}",
        "study": study,
        "form": form,
        "n_links": found.count(),
        "n_used": found.filter(used_at__isnull=False).count(),
    }
    return render(request, "console/links.html", context)


@require_safe
@staff_member_required
def links_csv(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    record_event(user=request.user, action="export links", subject=study)
    text = io.StringIO(newline="")
    found = SingleUseLink.objects.filter(study=study).select_related("study").order_by("pk")
    csv.writer(text).writerows([HEADER, *link_rows(found.iterator())])
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}-links.csv"'
    return response


def _study(request: HttpRequest, slug: str) -> Study:
    study = visible_study(request, slug)
    require_role(request.user, Role.EDITOR, study)
    if study.recruiter != Recruiter.SINGLE_USE:
        raise Http404(f"participants of {slug} do not come by single-use links")
    return study
