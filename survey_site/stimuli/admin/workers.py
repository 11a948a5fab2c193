"""Workers as they last announced themselves."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from survey_site.stimuli.admin.base import ReadOnlyModelAdmin
from survey_site.stimuli.models import ChunkStatus, Worker


@admin.register(Worker)
class WorkerAdmin(ReadOnlyModelAdmin):
    list_display = ["name", "host", "device", "memory", "queue_names", "current_chunk", "last_heartbeat"]

    @display(description="Memory")
    def memory(self, worker: Worker) -> str:
        return "–" if worker.memory_bytes is None else f"{worker.memory_bytes / 2**30:.0f} GiB"

    @display(description="Queues")
    def queue_names(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @display(description="Works on")
    def current_chunk(self, worker: Worker) -> str:
        chunk = worker.chunks.filter(status=ChunkStatus.RUNNING).first()
        return str(chunk) if chunk else "–"
