"""One click shows a study to its researcher as participants would see it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from survey_site.access.roles import Role, require_role
from survey_site.console.views import visible_study
from survey_site.studies.previews import preview_ticket
from survey_site.studies.services import StudyRefused, freeze_preview


@require_safe
@staff_member_required
@never_cache
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """Freeze the draft as it stands for this preview alone, and go to the participants' page."""
    study = visible_study(request, slug)
    require_role(request.user, Role.EDITOR, study)
    try:
        freeze_preview(study)
    except StudyRefused as refusal:
        messages.error(request, f"There is nothing to preview yet: {refusal}")
        return redirect("admin:studies_study_change", study.pk)
    wanted = urlencode({"mode": "preview", "ticket": preview_ticket(study)})
    return redirect(f"{reverse('survey-page', args=[study.slug])}?{wanted}")
