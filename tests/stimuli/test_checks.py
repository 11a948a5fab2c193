"""The verify command: every hash is taken again, and workers measure a sample again."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from survey_site.stimuli import services
from survey_site.stimuli.models import IRI, CheckStatus, IRICheck, StoredImage
from tests.builders import finished_job

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def verify(**options: Any) -> tuple[str, str]:
    said, complained = StringIO(), StringIO()
    try:
        call_command("verify_images", stdout=said, stderr=complained, **options)
    except CommandError as error:
        complained.write(str(error))
    return said.getvalue(), complained.getvalue()


def test_whole_images_are_no_problem() -> None:
    finished_job(2)
    said, complained = verify(sample=0)
    assert said == f"{StoredImage.objects.count()} images have the bytes that they are named by\nno problem\n"
    assert complained == ""


def test_missing_and_changed_files_and_swapped_images_are_named() -> None:
    job = finished_job(2)
    one, two = job.iris.with_images()
    assert one.image
    assert two.image
    Path(one.image.file.path).unlink()
    Path(two.image.file.path).write_bytes(b"other bytes")
    IRI.objects.filter(pk=two.pk).update(provenance={"image_sha256": "f00"})
    _, complained = verify(sample=0)
    assert f"image {one.image.sha256} ({one.image.file.name}): the image store: [Errno 2]" in complained
    assert f"image {two.image.sha256} ({two.image.file.name}): its bytes have the hash " in complained
    assert f"IRI {two.pk}: its image is not the one that its provenance names" in complained
    assert complained.endswith("3 problems")


def test_a_sample_is_measured_again_and_what_differs_is_named() -> None:
    job = finished_job(4)
    checks = services.ask_for_checks(sample=3, seed=1)
    assert len(checks) == 3
    assert services.ask_for_checks(sample=0, seed=1) == []
    measured = iter([0.1, 0.1009, 0.2])  # 0.1 is stored

    def measure(iri: IRI) -> float:
        assert iri.job_id == job.pk
        return next(measured)

    done = [services.do_next_check(measure) for _ in range(4)]
    assert [check.status for check in done if check] == [
        CheckStatus.AGREES,
        CheckStatus.AGREES,
        CheckStatus.DIFFERS,
    ]
    assert done[2] is not None
    assert done[2].reason == "relative error 0.2, stored 0.1"
    assert done[3] is None


@pytest.mark.parametrize("error", [services.StoreTrouble("the image store: away"), RuntimeError("odd")])
def test_what_cannot_be_measured_says_why(error: Exception) -> None:
    finished_job(1)
    services.ask_for_checks(sample=1, seed=0)

    def fail(_: IRI) -> float:
        raise error

    check = services.do_next_check(fail)
    assert check is not None
    assert (check.status, check.reason) == (CheckStatus.FAILED, str(error))


def test_the_command_waits_and_says_that_nobody_answered() -> None:
    finished_job(1)
    _, complained = verify(sample=5, timeout=0.1)
    assert complained.startswith("1 of 1 IRIs were not measured again within 0.1 s: is a worker running")
    assert IRICheck.objects.count() == 1
    assert verify(timeout=0)[1] == "--timeout is 0; allowed: seconds above 0"
    assert verify(sample=-1)[1] == "--sample is -1; allowed: whole numbers from 0"
