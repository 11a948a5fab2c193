"""Networks and their layers; queueing pairs starts here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from unfold.admin import TabularInline
from unfold.decorators import display

from survey_site.access.role_admin import ByParent, SharedAdmin, VisibleRows
from survey_site.access.roles import is_researcher
from survey_site.stimuli import services
from survey_site.stimuli.admin.base import ReadOnlyModelAdmin
from survey_site.stimuli.forms import QueuePairsForm
from survey_site.stimuli.models import Layer, Network, NetworkState
from survey_site.stimuli.network_form import NetworkForm

STATE_COLOURS = {
    NetworkState.PENDING: "info",
    NetworkState.READY: "success",
    NetworkState.FAILED: "danger",
}


class LayerInline(ByParent, TabularInline):
    model = Layer
    fields = ["depth", "name", "output_shape", "role"]
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Network)
class NetworkAdmin(SharedAdmin):
    form = NetworkForm
    list_display = ["name", "architecture", "source", "state_label", "layer_count", "is_control"]
    list_filter = ["state", "source", "is_control"]
    search_fields = ["name", "slug", "architecture"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [LayerInline]

    class Media:
        css = {"all": ["stimuli/admin.css"]}

    fieldsets = [
        (None, {"fields": ["name", "slug", ("source", "architecture"), ("state_text", "state_reason")]}),
        (
            "Weights (exactly one of three)",
            {"fields": ["weights", "pretrained", "random_seed", "num_classes", "weights_sha256"]},
        ),
        (
            "Factors, by which results compare",
            {
                "fields": [
                    ("family", "is_residual", "is_control"),
                    ("training_loss", "augmentation"),
                    ("training_set", "epsilon"),
                ]
            },
        ),
        (
            "Input (empty: the weights file's own, or the library's)",
            {"fields": ["input_size", ("mean", "std")]},
        ),
    ]

    FACTORS = ["name", "family", "is_residual", "is_control", "training_loss", "augmentation",
               "training_set", "epsilon"]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Network | None = None) -> list[str]:
        """What was built stays as it was built; factors may be corrected."""
        always = ["state_text", "state_reason", "weights_sha256"]
        if obj is None:
            return always
        fixed = [field.name for field in Network._meta.fields if field.name not in (*self.FACTORS, "id")]
        return [*fixed, "state_text"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Network | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Network]:
        return super().get_queryset(request).annotate(n_layers=Count("layers"))

    def save_model(self, request: HttpRequest, obj: Network, form: forms.ModelForm, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        fields = {
            name: value for name, value in form.cleaned_data.items() if name not in ("weights", "state")
        }
        made = services.register_network(
            weights=form.cleaned_data.get("weights") or None, created_by=request.user, **fields
        )
        obj.pk = made.pk
        obj.refresh_from_db()
        messages.info(request, "A worker is inspecting the network; its layers appear here when it is done.")

    @display(description="State", label=STATE_COLOURS, ordering="state")
    def state_label(self, network: Network) -> tuple[str, str]:
        return network.state or NetworkState.PENDING, NetworkState(network.state).label

    @display(description="State")
    def state_text(self, network: Network) -> str:
        return NetworkState(network.state).label

    @display(description="Layers", ordering="n_layers")
    def layer_count(self, network: Any) -> int:
        return int(network.n_layers)


@admin.register(Layer)
class LayerAdmin(VisibleRows, ReadOnlyModelAdmin):
    list_display = ["name", "network", "depth", "shape", "role"]
    list_filter = [("network", admin.RelatedOnlyFieldListFilter), "role"]
    search_fields = ["name", "network__name", "network__slug"]
    list_select_related = ["network"]
    actions = ["queue_pairs"]

    @display(description="Output per image")
    def shape(self, layer: Layer) -> str:
        return " × ".join(map(str, layer.output_shape))

    def has_queue_permission(self, request: HttpRequest) -> bool:
        """What is shared with somebody, in whatever role, they may use."""
        return is_researcher(request.user)

    @admin.action(description="Queue IRIs of the selected (network, layer) pairs", permissions=["queue"])
    def queue_pairs(self, request: HttpRequest, layers: QuerySet[Layer]) -> HttpResponse | None:
        """Ask for recipe and image set on a page of its own, then queue."""
        form = QueuePairsForm(request.POST if "queue_now" in request.POST else None, user=request.user)
        if form.is_bound and form.is_valid():
            try:
                jobs = form.queue_layers(layers.select_related("network"), created_by=request.user)
            except services.QueueRefused as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"{len(jobs)} jobs queued.")
                return redirect("admin:stimuli_irijob_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": "Queue (network, layer) pairs",
            "opts": self.model._meta,
            "layers": layers.select_related("network"),
            "form": form,
        }
        return render(request, "stimuli/queue_pairs.html", context)
