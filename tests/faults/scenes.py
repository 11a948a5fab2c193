"""What the fault tests ask the site to do, in a process that uses the tests' own servers."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

from django.db import connection

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIJob, Layer
from survey_site.stimuli.progress import job_progress
from tests.builders import image_set, layer, network, recipe

LEDGER = """
CREATE TABLE ledger (iri uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION note_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ledger (iri) VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER ledger AFTER UPDATE ON stimuli_iri FOR EACH ROW
WHEN (NEW.status = 'done') EXECUTE FUNCTION note_done();
"""
DISK_FULL = """
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON stimuli_iri FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER refuse BEFORE UPDATE ON stimuli_irichunk FOR EACH ROW EXECUTE FUNCTION refuse();
"""
DISK_FREE = """
DROP TRIGGER refuse ON stimuli_iri;
DROP TRIGGER refuse ON stimuli_irichunk;
"""


def prepare() -> None:
    """A network, and a ledger in which the database itself notes each writing of an IRI that is done."""
    network("faulty")
    with connection.cursor() as cursor:
        cursor.execute(LEDGER)


def pictures(count: int) -> None:
    """An image set of so many pictures."""
    if not ImageSet.objects.filter(slug=f"{count}-pictures").exists():
        image_set(count, slug=f"{count}-pictures")


def queue(count: int, *, jobs: int = 1, priority: int = 0, min_memory_gib: int = 0) -> list[int]:
    """Jobs of so many IRIs each; their numbers."""
    pictures(count)
    numbers = []
    for _ in itertools.repeat(None, jobs):
        made = services.queue_pairs(
            layers=[layer(Layer.objects.get(network__slug="faulty", name="pool").network)],
            recipe=recipe(),
            image_set=ImageSet.objects.get(slug=f"{count}-pictures"),
            rng_seed=uuid.uuid4().int >> 66,
            priority=priority,
            min_memory_gib=min_memory_gib,
        )
        numbers += [job.pk for job in made]
    return numbers


def store_recipe(steps: int, finish_below: float, image_size: int) -> str:
    """A recipe whose images leave the batch when they are that near; its name."""
    return recipe(steps=steps, finish_below=finish_below, image_size=image_size).name


def requeue(job: int) -> None:
    """As the admin's action does: what is missing is queued again."""
    row = IRIJob.objects.get(pk=job)
    services.queue_pairs(
        layers=[row.layer], recipe=row.recipe, image_set=row.image_set, rng_seed=row.rng_seed
    )


def progress(job: int) -> dict[str, Any]:
    """What the pages and the API say of it."""
    (state,) = job_progress([job])
    return state


def fill_database() -> None:
    """Until `free_database`, the database refuses to write IRIs and chunks, as with a full disk."""
    with connection.cursor() as cursor:
        cursor.execute(DISK_FULL)


def free_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(DISK_FREE)


def pause(job: int) -> bool:
    return services.pause_job(job=IRIJob.objects.get(pk=job))


def resume(job: int) -> bool:
    return services.resume_job(job=IRIJob.objects.get(pk=job))


def cancel(job: int) -> bool:
    return services.cancel_job(job=IRIJob.objects.get(pk=job))
