"""Who is left out: every verdict, and the researcher's own decisions, made one by one with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from survey_site.access.role_admin import RoleAdmin
from survey_site.access.roles import Role
from survey_site.access.services import record_event
from survey_site.analysis.exclusion_services import exclude_session, include_session
from survey_site.analysis.models import Exclusion
from survey_site.participation.models import StudySession
from survey_site.studies.exclusion_rules import Researcher
from survey_site.studies.models import Study


class ExclusionForm(forms.ModelForm):
    """A session and why it is left out."""

    class Meta:
        model = Exclusion
        fields = ["session", "reason"]
        help_texts = {
            "session": "Search by the beginning of the session's or the participant's id.",
            "reason": "It is part of the report.",
        }

    def clean_session(self) -> Any:
        session = self.cleaned_data["session"]
        if session.exclusions.filter(rule=Researcher.name).exists():
            raise forms.ValidationError(f"session {session} is left out by hand already")
        return session


@admin.register(Exclusion)
class ExclusionAdmin(RoleAdmin):
    delete_role = Role.ANALYST
    form = ExclusionForm
    list_display = ["session", "study", "rule", "reason", "decided_at"]
    list_filter = ["rule", ("session__study", admin.RelatedOnlyFieldListFilter), "session__mode"]
    search_fields = ["session__id", "reason"]
    autocomplete_fields = ["session"]
    fields = ["session", "reason"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exclusion]:
        return super().get_queryset(request).select_related("session__study")

    def shared(self, row: Exclusion) -> Study:
        return row.session.study

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Sessions of studies in which one is no analyst cannot be named, not even by a request of one's own
        making.
        """
        if db_field.name == "session":
            analysed = Study.objects.held_by(request.user, Role.ANALYST)
            kwargs["queryset"] = StudySession.objects.filter(study__in=analysed)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A decision is taken back and made anew, so that the reason read is the reason given."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What a rule said is not taken back: it would say the same at once."""
        own = obj is None or obj.rule == Researcher.name
        return own and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def save_model(self, request: HttpRequest, obj: Exclusion, form: Any, change: bool) -> None:
        made = exclude_session(obj.session, reason=obj.reason)
        obj.pk, obj.rule, obj.version = made.pk, made.rule, made.version
        self._record(request, "exclude session", obj)

    def delete_model(self, request: HttpRequest, obj: Exclusion) -> None:
        include_session(obj.session)
        self._record(request, "include session", obj)

    def _record(self, request: HttpRequest, action: str, exclusion: Exclusion) -> None:
        session = exclusion.session
        detail = {"session": str(session.pk), "reason": exclusion.reason}
        record_event(user=request.user, action=action, subject=session.study, detail=detail)

    @display(description="Study", ordering="session__study")
    def study(self, exclusion: Exclusion) -> str:
        return str(exclusion.session.study)
