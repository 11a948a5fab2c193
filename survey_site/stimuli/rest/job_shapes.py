"""What jobs look like to programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from survey_site.stimuli.models import IRIJob, JobStatus, MinMemory, Queue
from survey_site.stimuli.progress import PAUSED, job_progress
from survey_site.stimuli.services.queueing import PRIORITIES

STATUSES = [*JobStatus.values, PAUSED]


class PriorityShape(serializers.Serializer):
    priority = serializers.IntegerField(min_value=PRIORITIES[0], max_value=PRIORITIES[-1])


class JobShape(serializers.Serializer):
    job = serializers.IntegerField()
    network = serializers.CharField()
    layer = serializers.CharField()
    recipe = serializers.CharField(help_text="Its sha256.")
    recipe_name = serializers.CharField()
    image_set = serializers.CharField()
    rng_seed = serializers.IntegerField()
    queue = serializers.CharField()
    priority = serializers.IntegerField()
    paused = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=STATUSES)
    total = serializers.IntegerField(help_text="IRIs.")
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    done_share = serializers.FloatField(help_text="With what running searches have done.")
    relative_error = serializers.FloatField(allow_null=True, help_text="The largest of running searches.")
    seconds_left = serializers.FloatField(allow_null=True)
    waits_for = serializers.CharField(allow_blank=True)
    text = serializers.CharField()

    class Meta:
        ref_name = "Job"


class ChunkShape(serializers.Serializer):
    id = serializers.IntegerField()
    status = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    worker = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    progress = serializers.DictField()
    lease_until = serializers.DateTimeField(allow_null=True)
    checkpoint_at = serializers.DateTimeField(allow_null=True)


class FailedIRI(serializers.Serializer):
    id = serializers.UUIDField()
    target = serializers.CharField()
    reason = serializers.CharField()


class ChangeShape(serializers.Serializer):
    chunk = serializers.IntegerField(allow_null=True)
    before = serializers.CharField()
    after = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()


class WholeJob(JobShape):
    """With its open and failed chunks, its errors in full, and the latest of its history."""

    chunks = ChunkShape(many=True)
    errors = FailedIRI(many=True)
    history = ChangeShape(many=True)

    class Meta:
        ref_name = "WholeJob"


class NewJobs(serializers.Serializer):
    network = serializers.SlugField(help_text="Slug.")
    layers = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1, max_length=500, help_text="Names."
    )
    recipe = serializers.RegexField(r"^[0-9a-f]{64}$", help_text="A recipe's sha256.")
    image_set = serializers.SlugField(help_text="Slug.")
    rng_seed = serializers.IntegerField(default=0, min_value=-(2**63), max_value=2**63 - 1)
    queue = serializers.ChoiceField(choices=Queue.choices, default=Queue.CPU)
    min_memory_gib = serializers.ChoiceField(choices=MinMemory.choices, default=MinMemory.ANY)
    priority = serializers.IntegerField(default=0, min_value=PRIORITIES[0], max_value=PRIORITIES[-1])

    class Meta:
        ref_name = "NewJobs"


class JobFilter(serializers.Serializer):
    status = serializers.ChoiceField(
        choices=STATUSES,
        required=False,
        help_text="What a job says of itself: `paused` is an open one that is.",
    )
    network = serializers.SlugField(required=False)
    image_set = serializers.SlugField(required=False)


def job_states(jobs: Iterable[IRIJob]) -> list[dict[str, Any]]:
    """Facts and progress of each; two queries more for all of them together."""
    jobs = list(jobs)
    states = {state["job"]: state for state in job_progress([job.pk for job in jobs])}
    return [{**_facts(job), **states[job.pk]} for job in jobs]


def _facts(job: IRIJob) -> dict[str, Any]:
    return {
        "network": job.layer.network.slug,
        "layer": job.layer.name,
        "recipe": job.recipe.sha256,
        "recipe_name": job.recipe.name,
        "image_set": job.image_set.slug,
        "rng_seed": job.rng_seed,
        "queue": job.broker_queue,
        "priority": job.priority,
        "paused": job.paused,
        "created_at": job.created_at,
    }
