"""Jobs, whose progress moves by itself, and recipes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from survey_site.access.role_admin import VisibleRows
from survey_site.access.roles import is_researcher
from survey_site.stimuli import services
from survey_site.stimuli.admin.base import ReadOnlyModelAdmin
from survey_site.stimuli.models import OPEN_JOBS, IRIJob, Queue, Recipe
from survey_site.stimuli.progress import job_progress
from survey_site.stimuli.recipe_form import RecipeForm, initial_of
from survey_site.stimuli.steering import may_steer
from workers.iri.recipe import PRESETS, preset

LATEST_CHANGES = 200
PRIORITY = forms.IntegerField(min_value=-1000, max_value=1000)


class SteerForm(ActionForm):
    """Beside the choice of action: the priority that "Set priority" gives. What is wrong with it that action
    says, since Django would only say that no action was selected.
    """

    priority = forms.CharField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "priority", "aria-label": "Priority"}),
    )


@admin.register(IRIJob)
class IRIJobAdmin(VisibleRows, ReadOnlyModelAdmin):
    list_display = [
        "number", "pair", "recipe", "image_set", "rng_seed", "progress_bar", "priority", "queue_name",
        "created_at",
    ]  # fmt: skip
    list_filter = [
        "status",
        ("layer__network", admin.RelatedOnlyFieldListFilter),
        "recipe",
        ("image_set", admin.RelatedOnlyFieldListFilter),
        "paused",
        "queue",
    ]
    search_fields = ["=id", "layer__name", "layer__network__name"]
    list_select_related = ["layer__network", "recipe", "image_set"]
    list_per_page = 50
    action_form = SteerForm
    actions = ["pause", "resume", "set_priority", "cancel", "requeue"]
    fields = [
        ("number", "pair"),
        ("recipe", "image_set"),
        ("rng_seed", "queue_name"),
        "priority",
        "progress_bar",
        "steering",
        "open_chunks",
        "errors",
        "gallery",
        "history",
    ]
    readonly_fields = [
        "number", "pair", "queue_name", "progress_bar", "steering", "open_chunks", "errors", "gallery",
        "history",
    ]  # fmt: skip

    class Media:
        css = {"all": ["stimuli/admin.css"]}
        js = ["stimuli/progress.js"]

    @display(description="Job", ordering="pk")
    def number(self, job: IRIJob) -> str:
        return str(job.pk)

    @display(description="Network · layer", ordering="layer__network__name")
    def pair(self, job: IRIJob) -> str:
        return str(job.layer)

    @display(description="Workers", ordering="queue")
    def queue_name(self, job: IRIJob) -> str:
        memory = f", {job.get_min_memory_gib_display()} or more" if job.min_memory_gib else ""
        return f"{Queue(job.queue).label}{memory}"

    @display(description="Progress")
    def progress_bar(self, job: IRIJob) -> SafeString:
        state = job_progress([job.pk])[0]
        return format_html(
            '<span class="iri-progress" data-job="{}" data-done="{}"><progress max="{}" value="{}" '
            'aria-label="IRIs done"></progress> <span data-text>{}</span></span>',
            job.pk,
            state["done"],
            max(state["total"], 1),
            state["done_share"] * max(state["total"], 1),
            state["text"],
        )

    @display(description="Steer")
    def steering(self, job: IRIJob) -> SafeString:
        """Buttons that send what the list's actions do, for this job."""
        return render_to_string("stimuli/steering.html", {"job": job, "is_open": job.status in OPEN_JOBS})

    @display(description="Chunks under way")
    def open_chunks(self, job: IRIJob) -> SafeString:
        chunks = job.chunks.open().select_related("owner").order_by("-status", "pk")
        context = {"chunks": chunks[:LATEST_CHANGES], "n_open": chunks.count()}
        return render_to_string("stimuli/open_chunks.html", context)

    @display(description="Errors")
    def errors(self, job: IRIJob) -> SafeString | str:
        chunks = job.chunks.in_trouble()
        reasons = [f"chunk {chunk.pk} ({chunk.get_status_display()}): {chunk.reason}" for chunk in chunks]
        known = [chunk.reason for chunk in chunks]
        iris = job.iris.failed().exclude(reason__in=known).select_related("target")
        reasons += [f"{iri.target.name}: {iri.reason}" for iri in iris]
        if not reasons:
            return "none"
        return format_html('<pre class="iri-pre">{}</pre>', "\n\n".join(reasons))

    @display(description="Target | IRI | start image")
    def gallery(self, job: IRIJob) -> SafeString:
        iris = job.iris.with_images().order_by("target__name")
        return render_to_string("stimuli/gallery.html", {"iris": iris})

    @display(description="History")
    def history(self, job: IRIJob) -> SafeString:
        changes = job.history.order_by("-pk")
        context = {"changes": changes[:LATEST_CHANGES], "n_changes": changes.count()}
        return render_to_string("stimuli/history.html", context)

    def has_steer_permission(self, request: HttpRequest) -> bool:
        """Which of the jobs, `_steerable` says."""
        return is_researcher(request.user)

    def _steerable(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> list[IRIJob]:
        """Those that this person queued, or whose network they may change; the others are named."""
        allowed = [job for job in jobs.select_related("layer__network") if may_steer(request.user, job)]
        others = set(jobs.values_list("pk", flat=True)) - {job.pk for job in allowed}
        for number in sorted(others):
            messages.error(
                request, f"Job {number} is steered by whoever queued it, or by an editor of its network."
            )
        return allowed

    @admin.action(description="Pause", permissions=["steer"])
    def pause(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        steered = self._steerable(request, jobs)
        n = sum(services.pause_job(job=job, by=str(request.user)) for job in steered)
        ended = len(steered) - n
        also = f" {ended} had ended or were paused already." if ended else ""
        messages.success(request, f"{n} jobs paused; workers give their chunks back within seconds.{also}")

    @admin.action(description="Resume", permissions=["steer"])
    def resume(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        n = sum(services.resume_job(job=job, by=str(request.user)) for job in self._steerable(request, jobs))
        messages.success(request, f"{n} jobs resumed.")

    @admin.action(description="Set priority (higher goes first)", permissions=["steer"])
    def set_priority(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        try:
            priority = PRIORITY.clean(request.POST.get("priority"))
        except forms.ValidationError:
            messages.error(request, "Type a priority from -1000 to 1000 beside the action.")
            return
        steered = self._steerable(request, jobs)
        n = sum(services.prioritise_job(job=job, priority=priority, by=str(request.user)) for job in steered)
        messages.success(request, f"{n} jobs have priority {priority} now.")

    @admin.action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        n = sum(services.cancel_job(job=job, by=str(request.user)) for job in self._steerable(request, jobs))
        messages.success(request, f"{n} jobs cancelled.")

    @admin.action(description="Queue again what failed or was cancelled", permissions=["steer"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        made = [
            number
            for job in self._steerable(request, jobs.select_related("layer", "recipe", "image_set"))
            for number in self._queue_again(request, job)
        ]
        if made:
            numbers = ", ".join(f"job {number}" for number in made)
            messages.success(request, f"Queued again for what is missing: {numbers}.")

    def _queue_again(self, request: HttpRequest, job: IRIJob) -> list[int]:
        """The jobs that make what is missing of this one; a cancelled job leaves that to a new one."""
        try:
            jobs = services.queue_pairs(
                layers=[job.layer],
                recipe=job.recipe,
                image_set=job.image_set,
                rng_seed=job.rng_seed,
                queue=job.queue,
                min_memory_gib=job.min_memory_gib,
                priority=job.priority,
                created_by=request.user,
            )
        except services.QueueRefused as refusal:
            messages.error(request, f"{job}: {refusal}")
            return []
        return [one.pk for one in jobs]


@admin.register(Recipe)
class RecipeAdmin(ReadOnlyModelAdmin):
    list_display = ["name", "preset", "short_hash", "created_at"]
    search_fields = ["name", "preset"]
    fields = ["name", "preset", "formula", "spec", "sha256"]
    readonly_fields = ["formula"]

    class Media:
        css = {"all": ["stimuli/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_researcher(request.user)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A recipe of one's own: its formula is shown as it changes, and then it is stored for good."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = RecipeForm(request.POST or None, initial=self._beginning(request))
        if "preview" in request.POST:
            return render(request, "stimuli/recipe_formula.html", {"form": form})
        if "save" in request.POST and form.is_valid():
            try:
                made = form.save()
            except services.RecipeRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"{made.name} is stored; it can be queued now.")
                return redirect("admin:stimuli_recipe_change", made.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "A recipe of one's own",
            "opts": self.model._meta,
            "form": form,
            "presets": list(PRESETS),
            "stored": Recipe.objects.all(),
        }
        return render(request, "stimuli/recipe_form.html", context)

    def _beginning(self, request: HttpRequest) -> dict[str, Any]:
        """The form's first values: those of the preset or stored recipe that the address names."""
        name = request.GET.get("from", "reg_free")
        stored = Recipe.objects.filter(name=name).first()
        return initial_of(stored.load() if stored else preset(name if name in PRESETS else "reg_free"))

    @display(description="SHA-256")
    def short_hash(self, recipe: Recipe) -> str:
        return recipe.sha256[:12]

    @display(description="What it minimises")
    def formula(self, recipe: Any) -> SafeString:
        return format_html("<pre>{}</pre>", recipe.load().formula())
