"""The tabs that lead from one page of a study's design to the others."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse

from survey_site.access.roles import Role, may
from survey_site.studies.models import Study

register = template.Library()


@register.inclusion_tag("console/builder_tabs.html", takes_context=True)
def builder_tabs(context: dict[str, Any], study: Study, tab: str) -> dict[str, Any]:
    designing = [
        ("builder", "Conditions and plan", reverse("builder", args=[study.slug])),
        ("texts", "Texts", reverse("builder-texts", args=[study.slug])),
        ("pilot", "Preview and pilot", reverse("builder-pilot", args=[study.slug])),
    ]
    tabs = [
        *(designing if may(context["request"].user, Role.EDITOR, study) else []),
        ("versions", "Versions", reverse("versions", args=[study.slug])),
        ("all", "All settings", reverse("admin:studies_study_change", args=[study.pk])),
    ]
    return {"builder_tabs": tabs, "tab": tab, "study": study, "locked": context.get("locked", "")}
