"""How far a job is, as its bars and the terminal say."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from survey_site.access.models import Role
from survey_site.stimuli import services
from survey_site.stimuli.models import IRIChunk, IRIJob
from survey_site.stimuli.plots import loss_curve_svg
from survey_site.stimuli.progress import job_progress
from tests.builders import claim, finish, found, logged_in, member, queued_job, researcher, worker

pytestmark = pytest.mark.django_db


def text(job: IRIJob) -> str:
    return str(job_progress([job.pk])[0]["text"])


def test_a_job_tells_how_far_it_is() -> None:
    job = queued_job(4)
    assert text(job) == "0 of 4 · queued · waits: no worker on iri.cpu is running"
    worker()
    assert text(job) == "0 of 4 · queued"
    lease = claim()
    services.record_iri(lease=lease, found=found(lease.chunk.iris.all()[0]))
    services.heartbeat(
        lease=lease, progress={"step": 60, "steps": 240, "relative_error": 0.25, "seconds_left": 12.4}
    )
    assert text(job) == "1 of 4 · running · error 0.250 · 12 s left"
    assert job_progress([job.pk])[0]["done_share"] == pytest.approx((1 + 3 * 0.25) / 4)
    services.finish_chunk(lease=lease)


def test_the_ends_of_a_job_have_names() -> None:
    done, failed, cancelled, paused = (queued_job(2, slug=slug) for slug in "abcd")
    finish_first = claim()
    for iri in finish_first.chunk.iris.all():
        services.record_iri(lease=finish_first, found=found(iri))
    services.finish_chunk(lease=finish_first)
    services.fail_chunk(lease=claim(), reason="no", can_pass=False)
    services.cancel_job(job=cancelled)
    IRIJob.objects.filter(pk=paused.pk).update(paused=True)
    assert [text(job) for job in (done, failed, cancelled, paused)] == [
        "2 of 2 · finished",
        "0 of 2 · failed · 2 failed",
        "0 of 2 · cancelled",
        "0 of 2 · paused",
    ]


def test_the_progress_page_is_for_staff_and_takes_numbers() -> None:
    job = finish(queued_job(2))
    assert Client().get("/admin/progress/", {"jobs": job.pk}).status_code == 302
    assert logged_in(researcher()).get("/admin/progress/", {"jobs": job.pk}).json() == {"jobs": []}
    staff = logged_in(member(Role.VIEWER, job.layer.network, job.image_set))
    answer = staff.get("/admin/progress/", {"jobs": f"{job.pk},{job.pk + 1}"}).json()
    assert [state["job"] for state in answer["jobs"]] == [job.pk]
    for odd in ("", "one", "1,", "-1", "9" * 40):
        refused = staff.get("/admin/progress/", {"jobs": odd})
        assert (refused.status_code, refused.content) == (400, b"jobs must be whole numbers joined by commas")


def test_a_loss_curve_leaves_out_what_is_not_a_number() -> None:
    svg = loss_curve_svg([[0, 1.0], [1, None], [2, 0.1]])  # type: ignore[list-item]
    assert "relative error falls from 1.000 to 0.100 in 2 steps" in svg
    assert loss_curve_svg([[0, 0.0]]) == "no finite errors"


def test_a_silent_worker_is_noticed_before_its_lease_ends(settings: Any) -> None:
    job = queued_job(1)
    claim()
    IRIChunk.objects.update(lease_until=Now() + timedelta(seconds=settings.IRI_LEASE_SECONDS * 0.5))
    (state,) = job_progress([job.pk])
    assert state["waits_for"].startswith("its worker is silent; another takes over in ")
    IRIChunk.objects.update(lease_until=Now() + timedelta(seconds=settings.IRI_LEASE_SECONDS))
    assert job_progress([job.pk])[0]["waits_for"] == ""
