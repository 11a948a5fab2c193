"""Rows that the tests of the web's rooms start from, made by the services as the site makes them."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from PIL import Image

from survey_site.access.models import Role
from survey_site.access.services import give_role
from survey_site.stimuli import services
from survey_site.stimuli.models import (
    IRI,
    ImageSet,
    IRIJob,
    Layer,
    Network,
    NetworkState,
    Recipe,
    StoredImage,
    Worker,
)
from survey_site.studies.models import Study, StudyVersion
from survey_site.studies.services import icon_image, open_study, study_from_jobs
from workers.iri.recipe import preset

SIZE = 32
LAYERS = ("conv", "pool", "fc")


def picture(seed: int, *, width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Noise: another seed is another picture."""
    pixels = random.Random(seed).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), pixels)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def png(seed: int, *, width: int = SIZE, height: int = SIZE) -> bytes:
    return encoded(picture(seed, width=width, height=height))


def image_set(n: int = 4, *, slug: str = "photos") -> ImageSet:
    """A set of `n` stored pictures named 0.png, 1.png, ..."""
    made = ImageSet.objects.create(slug=slug, name=slug)
    add_images(made, range(n))
    return made


def add_images(to: ImageSet, seeds: Sequence[int]) -> None:
    files = [(f"{seed}.png", png(1000 + seed), "") for seed in seeds]
    assert services.import_images(image_set=to, files=files).refused == []


def network(slug: str = "net", *, layers: Sequence[str] = LAYERS) -> Network:
    """A network that a worker inspected."""
    made = services.register_network(
        slug=slug, name=slug.title(), source="torchvision", architecture="resnet18", random_seed=0
    )
    services.record_inspection(
        network_id=made.pk,
        layers=[
            services.FoundLayer(name=name, depth=depth, output_shape=[8, 4, 4], role="")
            for depth, name in enumerate(layers)
        ],
        weights_sha256=f"weights of {slug}",
        facts={"input_size": 224},
    )
    made.refresh_from_db()
    assert made.state == NetworkState.READY
    return made


def layer(of: Network, name: str = "pool") -> Layer:
    return of.layers.get(name=name)


def recipe(**changes: Any) -> Recipe:
    return services.save_recipe(
        preset("reg_free", **{"image_size": SIZE, "steps": 3, **changes}), preset="reg_free"
    )


def worker(name: str = "iri@here") -> Worker:
    return services.announce_worker(name=name, host="here", device="cpu", queues=["iri.cpu"])


def queued_job(n: int = 4, *, slug: str = "net", rng_seed: int = 0, **options: Any) -> IRIJob:
    """A job over a new network's pooled layer and a new image set, both named after `slug`."""
    (job,) = services.queue_pairs(
        layers=[layer(network(slug))],
        recipe=recipe(),
        image_set=image_set(n, slug=f"{slug}-photos"),
        rng_seed=rng_seed,
        **options,
    )
    return job


def claim(queue: str = "iri.cpu", *, by: str = "iri@here") -> services.ChunkLease:
    lease = services.claim_chunk(worker=worker(by), queue=queue)
    assert lease is not None
    return lease


def found(iri: IRI, *, passed: bool = True, size: int = SIZE) -> services.FoundIRI:
    """What a worker could have found for the IRI: pictures of its own, which differ from any other IRI's."""
    seed = random.Random(f"{iri.layer.network.slug} {iri.layer.name} {iri.rng_seed}").randrange(10**9)
    images = [png(seed + place, width=size, height=size) for place in range(3)]
    return services.FoundIRI(
        iri_id=iri.pk,
        image=images[0],
        start_image=images[1],
        target_resized=images[2],
        size=size,
        relative_error=0.1,
        cosine=0.99,
        target_label="cat",
        iri_label="cat",
        same_label=True,
        passed=passed,
        passed_reason="" if passed else "relative error 0.9 > 0.5",
        loss_trace=[[0, 1.0], [3, 0.1]],
        provenance={"torch": "2.13.0"},
    )


def finish(job: IRIJob, *, passed: bool = True, size: int = SIZE) -> IRIJob:
    """All of the job's IRIs are found, as a worker's claims would have it."""
    while lease := services.claim_chunk(worker=worker(), queue=job.queue):
        for iri in lease.chunk.iris.select_related("layer__network"):
            services.record_iri(lease=lease, found=found(iri, passed=passed, size=size))
        services.finish_chunk(lease=lease)
    return job


def finished_job(n: int = 4, *, slug: str = "net", **options: Any) -> IRIJob:
    return finish(queued_job(n, slug=slug, **options))


def draft_study(*slugs: str, n: int = 4, slug: str = "faces", **settings: Any) -> Study:
    """A draft with one condition per network slug, each with `n` finished IRIs."""
    jobs = [finished_job(n, slug=name) for name in slugs or ("net",)]
    return study_from_jobs(slug=slug, name=slug.title(), jobs=jobs, **settings)


def opened_study(*slugs: str, n: int = 4, slug: str = "faces", **settings: Any) -> Study:
    study = draft_study(*slugs, n=n, slug=slug, **settings)
    open_study(study=study)
    study.refresh_from_db()
    return study


def icon_image_of(label: str) -> StoredImage:
    """The picture that stands for a label: another for another label."""
    return icon_image(encoded(picture(sum(label.encode()), width=64, height=64)))


def version_of(study: Study) -> StudyVersion:
    version = study.current_version
    assert version is not None
    return version


def superuser() -> User:
    """Without a password, since hashing one takes most of a second: tests log in by `logged_in`."""
    return User.objects.create_superuser("ada", "ada@example.org")


def researcher(name: str = "bea") -> User:
    """Somebody on the staff who holds no role anywhere."""
    return User.objects.create_user(name, f"{name}@example.org", is_staff=True)


def member(role: Role, *things: Model, name: str = "") -> User:
    """Somebody on the staff with this role on these things."""
    user = researcher(name or role.value)
    for thing in things:
        give_role(user=user, role=role, of=thing)
    return user


#: What a page posts for the roles that it shows, if nobody touches them.
NO_SHARING = {f"access-membership-content_type-object_id-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
