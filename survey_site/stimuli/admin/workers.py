"""Workers as they last announced themselves, and what they do now."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.decorators import display

from survey_site.stimuli.admin.base import ReadOnlyModelAdmin
from survey_site.stimuli.models import GIB, RATE_MINUTES, Worker, device_queue
from survey_site.stimuli.worker_view import current_chunk, images_per_minute

STATE_COLOURS = {"works": "warning", "waits": "success", "in trouble": "danger", "silent": "danger"}


@admin.register(Worker)
class WorkerAdmin(ReadOnlyModelAdmin):
    list_display = [
        "name", "state", "works_on", "rate", "device", "memory", "queue_names", "networks", "heard",
    ]  # fmt: skip
    list_filter = ["host", "device"]
    search_fields = ["name", "host"]
    fields = [
        "name",
        ("host", "device", "memory"),
        "state",
        "trouble",
        "works_on",
        "rate",
        "queue_names",
        "heard",
        "announced",
        "versions",
    ]
    readonly_fields = ["memory", "state", "works_on", "rate", "queue_names", "heard", "announced"]

    class Media:
        css = {"all": ["stimuli/admin.css"]}
        js = ["stimuli/live-rows.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        return super().get_queryset(request).with_state()

    @display(description="State", label=STATE_COLOURS)
    def state(self, worker: Any) -> str:
        if not worker.is_alive:
            return "silent"
        if worker.trouble:
            return "in trouble"
        return "works" if current_chunk(worker) else "waits"

    @display(description="Works on")
    def works_on(self, worker: Worker) -> SafeString | str:
        chunk = current_chunk(worker)
        if chunk is None:
            return worker.trouble or "–"
        return format_html(
            '<a class="iri-link" href="{}">{}</a> <small>chunk {}, step {} of {}</small>',
            reverse("admin:stimuli_irijob_change", args=[chunk.job_id]),
            chunk.job.layer,
            chunk.pk,
            chunk.progress.get("step", 0),
            chunk.progress.get("steps", "?"),
        )

    @display(description="Images per minute")
    def rate(self, worker: Worker) -> SafeString:
        return format_html(
            '<span title="over the last {} minutes">{}</span>', RATE_MINUTES, images_per_minute(worker)
        )

    @display(description="Memory")
    def memory(self, worker: Worker) -> str:
        return "–" if worker.memory_bytes is None else f"{worker.memory_bytes / GIB:.0f} GiB"

    @display(description="Queues")
    def queue_names(self, worker: Worker) -> str:
        return ", ".join(dict.fromkeys(map(device_queue, worker.queues)))

    @display(description="Networks it can build")
    def networks(self, worker: Worker) -> str:
        counts = {source: len(names) for source, names in worker.architectures.items()}
        return ", ".join(f"{count} {source}" for source, count in counts.items()) or "–"

    @display(description="Networks it can build")
    def announced(self, worker: Worker) -> SafeString:
        return render_to_string("stimuli/announced.html", {"architectures": worker.architectures})

    @display(description="Last heard", ordering="last_heartbeat")
    def heard(self, worker: Worker) -> str:
        seconds = (timezone.now() - worker.last_heartbeat).total_seconds()
        return f"{max(seconds, 0):.0f} s ago" if seconds < 120 else f"{timesince(worker.last_heartbeat)} ago"
