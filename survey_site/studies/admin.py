"""Studies: designed as a draft, opened into frozen versions."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from survey_site.access.role_admin import SharedAdmin
from survey_site.access.roles import Role, may
from survey_site.stimuli.models import IRIStatus
from survey_site.studies import services
from survey_site.studies.fieldsets import CODES_TITLE, FIELDSETS
from survey_site.studies.inlines import ConditionInline, IconInline, QuestionInline, TextInline
from survey_site.studies.locks import LOCKED, is_locked
from survey_site.studies.models import (
    Condition,
    Recruiter,
    Study,
    StudyStatus,
    StudyText,
)
from survey_site.studies.plans import planned_counts
from survey_site.studies.quality import iri_quality
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.study_form import StudyForm
from survey_site.studies.texts import DEFAULT_TEXTS

STATUS_COLOURS = {
    StudyStatus.DRAFT: "info",
    StudyStatus.PILOT: "info",
    StudyStatus.OPEN: "success",
    StudyStatus.PAUSED: "warning",
    StudyStatus.CLOSED: "danger",
}


@admin.register(Study)
class StudyAdmin(SharedAdmin):
    list_display = ["name", "status_label", "condition_count", "version_text", "links", "created_at"]
    list_filter = ["status"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [ConditionInline, TextInline, QuestionInline, IconInline]
    actions_submit_line = ["preview_now", "pilot_now", "open_now", "pause_now", "close_now"]
    form = StudyForm
    conditional_fields = {"recruiter_study_id": f"recruiter == '{Recruiter.PROLIFIC}'"}
    readonly_fields = ["status_text", "links", "trial_counts", "missing", "iris_shown"]
    fieldsets = FIELDSETS

    def get_readonly_fields(self, request: HttpRequest, obj: Study | None = None) -> list[str]:
        """The slug is in the participants' link: it stays once the study has opened."""
        if obj is None:
            return list(self.readonly_fields)
        return [*self.readonly_fields, *(["slug"] if obj.versions.exists() else [])]

    def get_fieldsets(self, request: HttpRequest, obj: Study | None = None) -> Any:
        (title, first), *others = super().get_fieldsets(request, obj)
        told = {**first, "description": LOCKED} if is_locked(obj) else first
        if obj is not None and not may(request.user, Role.EDITOR, obj):
            others = [one for one in others if one[0] != CODES_TITLE]
        return [(title, told), *others]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Study | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """One button fewer, so that those of the status fit beside the others."""
        return super().render_change_form(
            request, {**context, "show_save_and_add_another": False}, *args, **kwargs
        )

    def save_model(self, request: HttpRequest, obj: Study, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = request.user.pk
        # Not Unfold's save_model: it would press the button before the conditions are saved.
        obj.save()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if not form.instance.texts.exists():
            StudyText.objects.create(study=form.instance, **DEFAULT_TEXTS)
        form.save_rules()
        self._press_button(request, form.instance)

    def _press_button(self, request: HttpRequest, study: Study) -> None:
        for button in self.get_actions_submit_line(request, study.pk):
            if button.action_name in request.POST:
                button.method(request, study)

    def response_post_save_change(self, request: HttpRequest, obj: Study) -> HttpResponseBase:
        """Whoever pressed a button stays to see what came of it, or goes to the preview."""
        if "studies_study_preview_now" in request.POST:
            return redirect("preview", obj.slug)
        if any(f"studies_study_{button}" in request.POST for button in self.actions_submit_line):
            return redirect("admin:studies_study_change", obj.pk)
        return super().response_post_save_change(request, obj)

    @display(description="Status", label=STATUS_COLOURS)
    def status_label(self, study: Study) -> tuple[str, str]:
        return study.status, StudyStatus(study.status).label

    @display(description="Status")
    def status_text(self, study: Study) -> str:
        return StudyStatus(study.status).label

    @display(description="Conditions")
    def condition_count(self, study: Study) -> int:
        return study.conditions.count()

    @display(description="Version")
    def version_text(self, study: Study) -> str:
        version = study.current_version
        return f"v{version.number} ({version.sha256[:8]})" if version else "–"

    @display(description="Pages")
    def links(self, study: Study) -> SafeString | str:
        if study.pk is None:
            return "after saving: builder, texts, pilot and versions"
        pages = [
            (f"/admin/builder/{study.slug}/", "builder"),
            (f"/admin/builder/{study.slug}/texts/", "texts"),
            (f"/admin/builder/{study.slug}/pilot/", "preview and pilot"),
            (f"/admin/versions/{study.slug}/", "versions and clone"),
        ]
        if study.versions.exists():
            pages += [
                (f"{settings.PUBLIC_URL}{reverse('survey-page', args=[study.slug])}", "participant link"),
                (f"/admin/live/{study.slug}/", "live"),
                (f"/admin/results/{study.slug}/", "results and export"),
            ]
        if study.recruiter == Recruiter.SINGLE_USE:
            pages.append((f"/admin/links/{study.slug}/", "single-use links"))
        return format_html_join(" · ", '<a class="text-primary-600 underline" href="{}">{}</a>', pages)

    @display(description="Trials")
    def trial_counts(self, study: Study) -> str:
        if study.pk is None:
            return "after saving with conditions"
        counts = planned_counts(study)
        seen = counts["per_participant"] + counts["catch"] + counts["repeats"]
        sentences = [
            f"{_counted(counts['main'], 'main trial')} in {_counted(study.conditions.count(), 'condition')}, "
            f"{_counted(counts['catch'], 'catch trial')}",
            f"one participant sees {seen}",
        ]
        if counts["practice"]:
            sentences.append(f"{_counted(counts['practice'], 'practice trial')} before")
        if counts["left_over"]:
            sentences.append(f"{_counted(counts['left_over'], 'IRI')} left over, too few for another group")
        return "; ".join(sentences)

    @display(description="Missing before it can open")
    def missing(self, study: Study) -> SafeString | str:
        if study.pk is None:
            return "conditions, then IRIs for each of them"
        sentences = missing_for_opening(study)
        if not sentences:
            return "nothing"
        return format_html(
            "<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((line,) for line in sentences))
        )

    @display(description="IRIs")
    def iris_shown(self, study: Study) -> SafeString | str:
        if study.pk is None or not study.conditions.exists():
            return "after saving with conditions"
        found = [(condition, iri_quality(condition)) for condition in study.conditions.with_pairs()]
        with_failures = [(quality, _failed_iris(condition)) for condition, quality in found if quality.failed]
        if not with_failures:
            return f"all {sum(quality.shown for _, quality in found)} finished IRIs are shown"
        line = '<li>{}. <a class="text-primary-600 underline" href="{}">See those that failed</a></li>'
        return format_html("<ul>{}</ul>", format_html_join("", line, with_failures))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """A preview shows the study as it was; what changes now must not be held by it."""
        if request.method == "POST" and object_id:
            self._forget_preview(request, object_id)
        return super().changeform_view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        self._forget_preview(request, object_id)
        return super().delete_view(request, object_id, *args, **kwargs)

    def _forget_preview(self, request: HttpRequest, object_id: str) -> None:
        study = self.get_object(request, object_id)
        if study is not None and self.has_change_permission(request, study):
            services.forget_preview(study)

    def has_preview_now_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, object_id, StudyStatus.values)

    def has_pilot_now_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, object_id, [StudyStatus.DRAFT, StudyStatus.PILOT])

    def has_open_now_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, object_id, [one for one in StudyStatus.values if one != StudyStatus.OPEN])

    def has_pause_now_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, object_id, [StudyStatus.OPEN])

    def has_close_now_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._is_in(request, object_id, [StudyStatus.OPEN, StudyStatus.PAUSED, StudyStatus.PILOT])

    def _is_in(self, request: HttpRequest, object_id: Any, statuses: list[str]) -> bool:
        """A button is offered where it makes sense: to editors of a study in one of the statuses.

        Unfold asks once more, without the id, when it presses a button that it found to be offered.
        """
        if not self.has_change_permission(request):
            return False
        edited = Study.objects.held_by(request.user, Role.EDITOR)
        return object_id is None or edited.filter(pk=object_id, status__in=statuses).exists()

    # These change the study, so they are buttons of the form (POST), not links. They act after saving.
    @action(description="Save and preview", permissions=["preview_now"])
    def preview_now(self, request: HttpRequest, study: Study) -> None:
        """Saving is all there is to do here; the preview itself is another page."""

    @action(description="Save and pilot", permissions=["pilot_now"])
    def pilot_now(self, request: HttpRequest, study: Study) -> None:
        try:
            version = services.pilot_study(study=study, by=request.user)
        except services.StudyRefused as refusal:
            messages.error(request, f"The study cannot be piloted: {refusal}")
        else:
            messages.success(request, f"Piloting version {version.number} ({version.sha256[:8]}).")

    @action(description="Save and open", permissions=["open_now"])
    def open_now(self, request: HttpRequest, study: Study) -> None:
        try:
            version = services.open_study(study=study, opened_by=request.user)
        except services.StudyRefused as refusal:
            messages.error(request, f"The study cannot open: {refusal}")
        else:
            messages.success(request, f"Open as version {version.number} ({version.sha256[:8]}).")

    @action(description="Save and pause", permissions=["pause_now"])
    def pause_now(self, request: HttpRequest, study: Study) -> None:
        self._move(request, study, services.pause_study, "Paused")

    @action(description="Save and close", permissions=["close_now"])
    def close_now(self, request: HttpRequest, study: Study) -> None:
        self._move(request, study, services.close_study, "Closed")

    def _move(self, request: HttpRequest, study: Study, move: Any, said: str) -> None:
        try:
            move(study=study, by=request.user)
        except services.StudyRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{said}: no new sessions; those under way may finish.")


def _failed_iris(condition: Condition) -> str:
    """The condition's finished IRIs that failed their quality check."""
    wanted: dict[str, str | int] = {
        "layer__id__exact": condition.layer_id,
        "recipe__id__exact": condition.recipe_id,
        "status__exact": IRIStatus.DONE,
        "passed__exact": 0,
    }
    return f"{reverse('admin:stimuli_iri_changelist')}?{urlencode(wanted)}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
