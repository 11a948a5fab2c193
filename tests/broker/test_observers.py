"""Simulated observers asked from the shell, and judged by a real worker on a real broker."""

import json
from pathlib import Path

import pytest
import skimage

from tests.broker.conftest import IRIWorkers
from tests.lab import OWN_IMAGES, Lab

pytestmark = pytest.mark.broker

PHOTOGRAPHS = ("astronaut.png", "coffee.png", "rocket.jpg")
OPENED = """
from survey_site.stimuli.models import IRIJob
from survey_site.studies.services import open_study, study_from_jobs
study = study_from_jobs(slug="faces", name="Faces", jobs=IRIJob.objects.all())
study.conditions.update(include_failed=True)
open_study(study=study)
"""


@pytest.fixture(scope="module", autouse=True)
def opened_study(lab: Lab, workers: IRIWorkers, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Three IRIs of an untrained network, a few steps long, in a study."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in PHOTOGRAPHS:
        (folder / name).symlink_to(Path(skimage.data.data_dir) / name)
    lab.succeed("import_images", folder, "--image-set", "photographs", *OWN_IMAGES)
    (worker,) = workers.ensure(1)
    lab.succeed(
        *("register_network", "efficientnet_lite0", "--source", "package", "--random-seed", "0"),
        *("--slug", "lite0"),
    )
    lab.succeed(
        *("queue_pairs", "--network", "lite0", "--layer", "_avg_pooling", "--image-set", "photographs"),
        *("--steps", "3", "--image-size", "64"),
    )
    done = "SELECT count(*) FROM stimuli_iri WHERE status = 'done'"
    lab.wait(lambda: lab.value(done) == len(PHOTOGRAPHS), 180, what="the IRIs are done", log=worker)
    lab.succeed("shell", "-c", OPENED)


def test_a_worker_judges_every_trial_and_says_what_it_cannot(lab: Lab) -> None:
    network = "network:lite0:_avg_pooling"
    asked = lab.manage("observe", "faces", "--observers", "ssim", network, "ms-ssim", "--wait", "120")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == ["ms-ssim: unavailable", f"{network}: done", "ssim: done"]
    assert "ms-ssim: ms-ssim can't take images of 64 × 64 pixels" in asked.stderr
    judged = lab.rows(
        "SELECT observer, count(*), count(credit) FROM analysis_observerjudgement GROUP BY 1 ORDER BY 1"
    )
    assert judged == [(network, 3, 3), ("ssim", 3, 3)]
    [transfer] = lab.column("SELECT transfer FROM analysis_observedcondition WHERE transfer IS NOT NULL")
    found = transfer if isinstance(transfer, dict) else json.loads(transfer)
    assert found["n"] == len(PHOTOGRAPHS)
    assert -1 <= found["cosine"] <= 1


def test_asking_again_finds_everything_judged(lab: Lab) -> None:
    before = lab.rows("SELECT id FROM analysis_observerjudgement ORDER BY id")
    assert lab.succeed("observe", "faces", "--observers", "ssim", "--wait", "120") == "ssim: done\n"
    assert lab.rows("SELECT id FROM analysis_observerjudgement ORDER BY id") == before
    assert "there is no observer 'sim'; allowed: pixel-l2" in lab.refuse(
        "observe", "faces", "--observers", "sim"
    )
