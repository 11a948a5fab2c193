"""What the demo does, step by step; each finds what an earlier run made and goes on from there."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model

from survey_site.stack.errors import StackError
from survey_site.stimuli import services as stimuli
from survey_site.stimuli.models import ImageSet, IRIJob, Layer, Network, NetworkSource, NetworkState, Recipe
from survey_site.studies import services as studies
from survey_site.studies.models import Study, StudyStatus
from workers.iri.recipe import preset

from .photographs import LICENCE, SOURCE, photographs

RNG_SEED = 0
IMAGE_PX = 96
PRESET = "reg_free"
LOGIN = "researcher"
POLL_SECONDS = 0.3
INSPECTION_SECONDS = 180.0


@dataclass(frozen=True)
class DemoNetwork:
    """A network as the demo registers it."""

    slug: str
    name: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class DemoStudy:
    """A 2AFC study over one layer of both networks; pairs of a higher priority are made first."""

    slug: str
    name: str
    layer: str
    priority: int


NETWORKS = (
    DemoNetwork(
        "efficientnet-lite0",
        "EfficientNet-Lite0",
        {"pretrained": True, "training_loss": "cross-entropy", "training_set": "ImageNet"},
    ),
    DemoNetwork(
        "efficientnet-lite0-untrained",
        "EfficientNet-Lite0, untrained",
        {"random_seed": RNG_SEED, "is_control": True},
    ),
)
STUDIES = (
    DemoStudy("demo", "Which image looks more like this one?", "_avg_pooling", priority=20),
    DemoStudy("demo-middle-layer", "Which image looks more like this one? (2)", "_blocks.8", priority=10),
)


def import_photographs() -> ImageSet:
    image_set, _ = ImageSet.objects.get_or_create(
        slug="demo", defaults={"name": "Demo photographs", "licence": LICENCE, "source": SOURCE}
    )
    report = stimuli.import_images(image_set=image_set, files=photographs())
    if report.refused:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in report.refused)
        raise StackError(f"the demo's photographs were refused: {reasons}")
    return image_set


def save_recipe() -> Recipe:
    return stimuli.save_recipe(preset(PRESET, image_size=IMAGE_PX), preset=PRESET)


def register(network: DemoNetwork) -> Network:
    """The network's row; a worker inspects a new one, or one that could not be built before, meanwhile."""
    Network.objects.filter(slug=network.slug, state=NetworkState.FAILED).delete()
    return Network.objects.filter(slug=network.slug).first() or stimuli.register_network(
        slug=network.slug,
        name=network.name,
        source=NetworkSource.PACKAGE,
        architecture="efficientnet_lite0",
        family="EfficientNet-Lite",
        **network.facts,
    )


def wait_until_ready(network: Network) -> None:
    """Until a worker has built it and listed its layers; StackError with the worker's reason if it cannot."""
    deadline = time.monotonic() + INSPECTION_SECONDS
    while network.state == NetworkState.PENDING:
        if time.monotonic() > deadline:
            raise StackError(
                f"no worker has looked at {network.name} for {INSPECTION_SECONDS:.0f} s; "
                "see var/log/iri-worker.log"
            )
        time.sleep(POLL_SECONDS)
        network.refresh_from_db()
    if network.state == NetworkState.FAILED:
        raise StackError(f"{network.name} cannot be built: {network.state_reason}")


def queue_pair(network: Network, study: DemoStudy, recipe: Recipe, image_set: ImageSet) -> IRIJob:
    layer = Layer.objects.filter(network=network, name=study.layer).first()
    if layer is None:
        raise StackError(stimuli.describe_missing_layer(network, study.layer))
    (job,) = stimuli.queue_pairs(
        layers=[layer], recipe=recipe, image_set=image_set, rng_seed=RNG_SEED, priority=study.priority
    )
    return job


def open_study(planned: DemoStudy, jobs: list[IRIJob]) -> Study:
    """The study over these jobs, opened unless somebody has paused or closed it since."""
    study = Study.objects.filter(slug=planned.slug).first() or studies.study_from_jobs(
        slug=planned.slug, name=planned.name, jobs=jobs, minutes=3
    )
    if study.status == StudyStatus.DRAFT:
        studies.open_study(study=study)
        study.refresh_from_db()
    return study


def renew_login() -> str:
    """The demo researcher's password, new at every run."""
    users = get_user_model().objects
    user, _ = users.get_or_create(username=LOGIN, defaults={"is_staff": True, "is_superuser": True})
    password = secrets.token_urlsafe(9)
    user.set_password(password)
    user.save()
    return password
