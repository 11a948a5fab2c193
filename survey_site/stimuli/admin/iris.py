"""IRIs: target, IRI and start image side by side, with what was measured."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from survey_site.access.role_admin import VisibleRows
from survey_site.stimuli.admin.base import ReadOnlyModelAdmin, image_tag, percent
from survey_site.stimuli.models import IRI, IRIStatus
from survey_site.stimuli.plots import loss_curve_svg
from survey_site.stimuli.quality_view import MEASURES, later_rows, measure_rows, null_note, other_facts

STATUS_COLOURS = {
    IRIStatus.QUEUED: "info",
    IRIStatus.RUNNING: "warning",
    IRIStatus.DONE: "success",
    IRIStatus.FAILED: "danger",
    IRIStatus.CANCELLED: "danger",
}


@admin.register(IRI)
class IRIAdmin(VisibleRows, ReadOnlyModelAdmin):
    list_display = [
        "three_images", "pair", "status_label", "error_percent", "cosine_text", "labels", "passed",
    ]  # fmt: skip
    list_filter = [
        "status",
        "passed",
        ("layer__network", admin.RelatedOnlyFieldListFilter),
        ("layer", admin.RelatedOnlyFieldListFilter),
        "recipe",
    ]
    search_fields = ["target__name", "layer__name", "layer__network__name"]
    list_per_page = 25
    fields = [
        "pair",
        "gallery",
        ("status", "passed"),
        "labels",
        "quality",
        "loss_curve",
        "reason",
        "provenance_text",
    ]
    readonly_fields = [
        "pair", "gallery", "quality", "labels", "loss_curve",
        "provenance_text",
    ]  # fmt: skip

    class Media:
        css = {"all": ["stimuli/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[IRI]:
        rows: Any = super().get_queryset(request)
        found: QuerySet[IRI] = rows.with_images().select_related(
            "layer__network", "recipe", "null__image_set"
        )
        return found

    @display(description="Target | IRI | start")
    def three_images(self, iri: IRI) -> SafeString:
        return format_html(
            '<span class="iri-three">{}{}{}</span>',
            image_tag(iri.target_resized, text=f"target {iri.target.name}", size=64),
            image_tag(iri.image, text="IRI", size=64),
            image_tag(iri.start_image, text="start image", size=64),
        )

    @display(description="Network · layer", ordering="layer__network__name")
    def pair(self, iri: IRI) -> str:
        return f"{iri.layer} · {iri.recipe}"

    @display(description="Status", label=STATUS_COLOURS, ordering="status")
    def status_label(self, iri: IRI) -> tuple[str, str]:
        return iri.status, iri.get_status_display()

    @display(description="Relative error", ordering="relative_error")
    def error_percent(self, iri: IRI) -> str:
        return percent(iri.relative_error)

    @display(description="Cosine", ordering="cosine")
    def cosine_text(self, iri: IRI) -> str:
        return "–" if iri.cosine is None else f"{iri.cosine:.4f}"

    @display(description="Network's labels (target → IRI)")
    def labels(self, iri: IRI) -> str:
        return f"{iri.target_label or '–'} → {iri.iri_label or '–'}"

    @display(description="Target | IRI | start image")
    def gallery(self, iri: IRI) -> SafeString:
        return render_to_string("stimuli/gallery.html", {"iris": [iri], "large": True})

    @display(description="Quality check")
    def quality(self, iri: IRI) -> SafeString | str:
        if iri.status != IRIStatus.DONE:
            return "–"
        context = {
            "iri": iri,
            "note": null_note(iri),
            "rows": measure_rows(iri),
            "facts": other_facts(iri),
            "later": later_rows(iri),
            "names": [name for name, _ in MEASURES.values()],
        }
        return render_to_string("stimuli/quality.html", context)

    @display(description="Loss")
    def loss_curve(self, iri: IRI) -> SafeString | str:
        return loss_curve_svg(iri.loss_trace) if iri.loss_trace else "–"

    @display(description="Provenance")
    def provenance_text(self, iri: IRI) -> SafeString:
        return format_html(
            '<pre class="iri-pre">{}</pre>', json.dumps(iri.provenance, indent=2, sort_keys=True)
        )
