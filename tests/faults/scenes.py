"""What the fault tests ask the site to do, in a process that uses the tests' own servers."""

from __future__ import annotations

import itertools
import uuid

from django.db import connection

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, IRIJob, Layer
from tests.builders import image_set, layer, network, recipe

LEDGER = """
CREATE TABLE ledger (iri uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE FUNCTION note_done() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ledger (iri) VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER ledger AFTER UPDATE ON stimuli_iri FOR EACH ROW
WHEN (NEW.status = 'done' AND OLD.image_id IS DISTINCT FROM NEW.image_id) EXECUTE FUNCTION note_done();
"""


def prepare() -> None:
    """A network, and a ledger in which the database itself notes every IRI that is written, each time."""
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


def pause(job: int) -> bool:
    return services.pause_job(job=IRIJob.objects.get(pk=job))


def resume(job: int) -> bool:
    return services.resume_job(job=IRIJob.objects.get(pk=job))


def cancel(job: int) -> bool:
    return services.cancel_job(job=IRIJob.objects.get(pk=job))
