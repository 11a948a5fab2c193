"""Jobs and workers over REST: what the admin shows, for those who may see it there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client

from survey_site.access.models import Role
from survey_site.stimuli import services
from survey_site.stimuli.models import Worker
from tests.builders import (
    claim,
    finish,
    finished_job,
    logged_in,
    member,
    queued_job,
    researcher,
    superuser,
    worker,
)

pytestmark = pytest.mark.django_db


def get(client: Client, path: str) -> Any:
    answer = client.get(f"/api/v1/{path}/")
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_workers_say_what_they_are_do_and_reach() -> None:
    finished_job(3)
    queued_job(2, slug="other")
    lease = claim()
    services.heartbeat(lease=lease, progress={"step": 3, "steps": 9})
    services.announce_worker(
        name="iri@gone", host="there", device="cuda:0", memory_bytes=2**34, queues=["iri.gpu"]
    )
    Worker.objects.filter(name="iri@gone").update(last_heartbeat=Now() - timedelta(hours=1))
    gone, here = get(logged_in(superuser()), "workers")["results"]
    assert (here["name"], here["is_alive"], here["images_per_minute"]) == ("iri@here", True, 0.3)
    assert here["chunk"]["progress"] == {"step": 3, "steps": 9}
    assert (here["chunk"]["job"], here["chunk"]["attempt"]) == (lease.chunk.job_id, 1)
    assert (gone["is_alive"], gone["chunk"], gone["memory_gib"]) == (False, None, 16.0)


def test_jobs_say_how_far_they_are_and_how_they_came_there(settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    done, job = finished_job(2, slug="done"), queued_job(2)
    services.fail_chunk(lease=claim(), reason="Traceback: odd", can_pass=False)
    client = logged_in(superuser())
    listed = get(client, "jobs")["results"]
    assert [(one["job"], one["status"], one["done"]) for one in listed] == [
        (job.pk, "running", 0),
        (done.pk, "finished", 2),
    ]
    assert [one["job"] for one in client.get("/api/v1/jobs/?status=finished").json()["results"]] == [done.pk]
    one = get(client, f"jobs/{job.pk}")
    assert (one["network"], one["layer"], one["failed"], one["queue"]) == ("net", "pool", 1, "iri.cpu")
    assert [chunk["status"] for chunk in one["chunks"]] == ["failed", "queued"]
    assert one["errors"][0]["reason"] == "Traceback: odd"
    assert [change["after"] for change in one["history"]] == ["running", "running", "failed"]
    assert client.get("/api/v1/jobs/999999/").status_code == 404


@pytest.mark.parametrize("path", ["workers", "jobs", "jobs/1"])
def test_only_staff_may_see(path: str) -> None:
    assert Client().get(f"/api/v1/{path}/").status_code == 401
    outsider = logged_in(User.objects.create_user("outsider"))
    assert outsider.get(f"/api/v1/{path}/").status_code == 401
    client = logged_in(researcher())
    assert client.get(f"/api/v1/{path}/").status_code in (200, 404)
    assert client.post(f"/api/v1/{path}/").status_code in (405, 415, 422)


def test_jobs_are_for_those_with_whom_network_and_image_set_are_shared() -> None:
    job = queued_job(1)
    network, image_set = job.layer.network, job.image_set
    for stranger in (member(Role.OWNER, network, name="bea"), member(Role.OWNER, image_set, name="cem")):
        assert get(logged_in(stranger), "jobs")["results"] == []
        assert logged_in(stranger).get(f"/api/v1/jobs/{job.pk}/").status_code == 404
    friend = logged_in(member(Role.VIEWER, network, image_set, name="dan"))
    assert [one["job"] for one in get(friend, "jobs")["results"]] == [job.pk]


def test_the_time_left_counts_what_waits_behind(settings: Any) -> None:
    settings.IRI_CHUNK_SIZE = 1
    job = queued_job(4)
    lease = claim()
    progress = {"step": 50, "steps": 100, "relative_error": 0.5, "seconds_left": 30.0}
    services.heartbeat(lease=lease, progress=progress)
    client = logged_in(superuser())
    (state,) = [one for one in get(client, "jobs")["results"] if one["job"] == job.pk]
    assert state["seconds_left"] == 30 + 3 * 60
    assert state["text"].endswith("4 min left")
    services.heartbeat(lease=lease, progress={**progress, "waiting_for": "the image store: full"})
    (state,) = [one for one in get(client, "jobs")["results"] if one["job"] == job.pk]
    assert state["text"].endswith("waits: the image store: full")


def test_a_job_that_no_worker_can_take_says_so() -> None:
    job = queued_job(1, queue="iri.gpu", min_memory_gib=40)
    client = logged_in(superuser())
    said = "no worker on iri.gpu with 40 GiB of memory is running"
    assert get(client, f"jobs/{job.pk}")["waits_for"] == said
    services.announce_worker(name="small", host="", device="", memory_bytes=2**34, queues=["iri.gpu"])
    assert get(client, f"jobs/{job.pk}")["waits_for"] == said
    services.announce_worker(name="large", host="", device="", memory_bytes=2**37, queues=["iri.gpu"])
    assert get(client, f"jobs/{job.pk}")["waits_for"] == ""


def test_a_status_that_does_not_exist_is_refused_and_paused_is_one() -> None:
    job, other = queued_job(1), queued_job(1, slug="other")
    services.pause_job(job=job)
    client = logged_in(superuser())
    refused = client.get("/api/v1/jobs/?status=partly finished")
    assert refused.status_code == 422
    assert "partly finished" in refused.json()["errors"][0]["detail"]
    assert [one["job"] for one in get(client, "jobs")["results"]] == [other.pk, job.pk]
    for status, expected in (("paused", job), ("queued", other)):
        [one] = client.get(f"/api/v1/jobs/?status={status}").json()["results"]
        assert (one["job"], one["status"]) == (expected.pk, status)


def test_whoever_brings_nothing_is_told_how_to_log_in() -> None:
    answer = Client().get("/api/v1/jobs/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_a_worker_lists_the_networks_that_it_builds() -> None:
    worker()
    Worker.objects.update(architectures={"timm": {"vit_tiny": {"input_size": 224}}})
    client = logged_in(superuser())
    one = get(client, "workers/iri@here")
    assert one["architectures"] == {"timm": {"vit_tiny": {"input_size": 224}}}
    assert client.get("/api/v1/workers/nobody/").status_code == 404


def test_what_was_queued_again_is_no_error_any_more(settings: Any) -> None:
    job = queued_job(1)
    services.fail_chunk(lease=claim(), reason="Traceback: odd", can_pass=False)
    client = logged_in(superuser())
    assert get(client, f"jobs/{job.pk}")["chunks"][0]["reason"] == "Traceback: odd"
    finish(
        services.queue_pairs(
            layers=[job.layer], recipe=job.recipe, image_set=job.image_set, rng_seed=job.rng_seed
        )[0]
    )
    one = get(client, f"jobs/{job.pk}")
    assert (one["status"], one["chunks"], one["errors"]) == ("finished", [], [])
