"""Jobs, whose progress moves by itself, and recipes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from survey_site.stimuli import services
from survey_site.stimuli.admin.base import ReadOnlyModelAdmin
from survey_site.stimuli.models import IRIJob, Recipe
from survey_site.stimuli.progress import job_progress
from survey_site.stimuli.recipe_form import RecipeForm, initial_of
from workers.iri.recipe import PRESETS, preset


@admin.register(IRIJob)
class IRIJobAdmin(ReadOnlyModelAdmin):
    list_display = ["pair", "recipe", "image_set", "progress_bar", "priority", "queue", "created_at"]
    list_filter = ["layer__network", "recipe", "image_set", "paused"]
    search_fields = ["layer__name", "layer__network__name"]
    list_select_related = ["layer__network", "recipe", "image_set"]
    list_per_page = 50
    actions = ["pause", "resume", "cancel", "requeue"]
    fields = [
        "pair",
        ("recipe", "image_set"),
        ("rng_seed", "queue"),
        ("priority", "paused"),
        "progress_bar",
        "errors",
        "gallery",
    ]
    readonly_fields = ["pair", "progress_bar", "errors", "gallery"]

    class Media:
        css = {"all": ["stimuli/admin.css"]}
        js = ["stimuli/progress.js"]

    @display(description="Network · layer", ordering="layer__network__name")
    def pair(self, job: IRIJob) -> str:
        return str(job.layer)

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

    @display(description="Errors")
    def errors(self, job: IRIJob) -> SafeString | str:
        reasons = [chunk.reason for chunk in job.chunks.exclude(reason="")]
        return format_html("<pre>{}</pre>", "\n\n".join(reasons)) if reasons else "none"

    @display(description="Target | IRI | start image")
    def gallery(self, job: IRIJob) -> SafeString:
        iris = job.iris.with_images().order_by("target__name")
        return render_to_string("stimuli/gallery.html", {"iris": iris})

    def has_steer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("stimuli.change_irijob")

    @admin.action(description="Pause", permissions=["steer"])
    def pause(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        messages.success(request, f"{jobs.update(paused=True)} jobs paused; chunks under way are finished.")

    @admin.action(description="Resume", permissions=["steer"])
    def resume(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        count = jobs.update(paused=False)
        for job in jobs:
            services.ring(job.queue)
        messages.success(request, f"{count} jobs resumed.")

    @admin.action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        for job in jobs:
            services.cancel_job(job=job)
        messages.success(request, f"{len(jobs)} jobs cancelled.")

    @admin.action(description="Queue again what failed or was cancelled", permissions=["steer"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[IRIJob]) -> None:
        for job in jobs.select_related("layer__network", "recipe", "image_set"):
            services.queue_pairs(
                layers=[job.layer],
                recipe=job.recipe,
                image_set=job.image_set,
                rng_seed=job.rng_seed,
                queue=job.queue,
                priority=job.priority,
                created_by=request.user,
            )
        messages.success(request, f"{len(jobs)} jobs queued again for what is missing.")


@admin.register(Recipe)
class RecipeAdmin(ReadOnlyModelAdmin):
    list_display = ["name", "preset", "short_hash", "created_at"]
    search_fields = ["name", "preset"]
    fields = ["name", "preset", "formula", "spec", "sha256"]
    readonly_fields = ["formula"]

    class Media:
        css = {"all": ["stimuli/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("stimuli.add_recipe")

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
