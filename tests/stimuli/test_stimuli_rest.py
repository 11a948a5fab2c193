"""What can be shown, over REST: networks, image sets, recipes, IRIs; queueing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from survey_site.access.models import Role
from survey_site.access.roles import role_of
from survey_site.stimuli.models import ImageSet, IRIJob, Network
from tests.access.caller import Caller
from tests.builders import (
    add_images,
    finished_job,
    image_set,
    member,
    network,
    png,
    queued_job,
    recipe,
    researcher,
    superuser,
    worker,
)

pytestmark = pytest.mark.django_db

RESNET = {"slug": "r18", "source": "torchvision", "architecture": "resnet18", "random_seed": 3}


def test_whoever_registers_a_network_owns_it_and_it_waits_for_a_worker() -> None:
    bea = researcher()
    made = Caller(bea).send("POST", "networks/", {**RESNET, "family": "ResNet"}, status=201)
    assert (made["state"], made["name"], made["family"]) == ("pending", "r18", "ResNet")
    assert role_of(bea, Network.objects.get()) == Role.OWNER


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"pretrained": True}, 409, "give exactly one of: a weights file, pretrained weights, an RNG seed"),
        ({"source": "huggingface"}, 422, "huggingface"),
        ({"slug": "no good"}, 422, "slug"),
        ({"mean": [1, 2]}, 422, "mean"),
        ({"random_seed": 2**70}, 422, "random_seed"),
        ({"name": "\0"}, 400, "NUL"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused(change: dict[str, Any], status: int, said: str) -> None:
    refused = Caller(researcher()).send("POST", "networks/", {**RESNET, **change}, status=status)
    assert said in refused["detail"]
    assert not Network.objects.exists()


def test_weights_come_as_safetensors_alone() -> None:
    caller = Caller(researcher())
    form = {"slug": "r18", "source": "torchvision", "architecture": "resnet18"}
    for name, status in (("w.pt", 422), ("w.safetensors", 201)):
        answer = caller.client.post(
            "/api/v1/networks/",
            {**form, "weights": SimpleUploadedFile(name, b"bytes")},
            headers=caller.headers,
        )
        assert answer.status_code == status, answer.content
    assert Network.objects.get().weights.read() == b"bytes"


def test_a_slug_that_is_taken_is_said_to_be() -> None:
    network("r18")
    refused = Caller(researcher()).send("POST", "networks/", RESNET, status=409)
    assert refused["detail"].startswith("network 'r18' exists already")


def test_factors_are_corrected_by_editors_and_nothing_else_is() -> None:
    net = network()
    editor = Caller(member(Role.EDITOR, net))
    assert editor.send("PATCH", "networks/net/", {"epsilon": 0.5, "slug": "other"})["epsilon"] == 0.5
    net.refresh_from_db()
    assert (net.slug, net.epsilon) == ("net", 0.5)
    viewer = Caller(member(Role.VIEWER, net))
    assert viewer.send("PATCH", "networks/net/", {"epsilon": 1}, status=403)["code"] == "role_too_low"
    assert Caller(researcher("eve")).send("PATCH", "networks/net/", {}, status=404)["code"] == "not_found"
    assert [one["name"] for one in viewer.get("networks/net/layers/")["results"]] == ["conv", "pool", "fc"]


def test_images_are_uploaded_and_bad_ones_named() -> None:
    bea = researcher()
    caller = Caller(bea)
    body = {"slug": "photos", "name": "Photos", "licence": "CC0-1.0", "source": "my own"}
    refused = caller.send("POST", "image-sets/", {**body, "licence": ""}, status=422)
    assert refused["errors"][0]["path"] == "licence"
    caller.send("POST", "image-sets/", body, status=201)
    files = [SimpleUploadedFile("a.png", png(1)), SimpleUploadedFile("b.png", b"no image"),
             SimpleUploadedFile("c.png", png(1))]  # fmt: skip
    answer = caller.client.post(
        "/api/v1/image-sets/photos/images/", {"files": files, "label": "cat"}, headers=caller.headers
    )
    assert answer.json()["added"] == ["a.png"]
    assert answer.json()["duplicates"] == ["c.png"]
    assert answer.json()["refused"][0]["name"] == "b.png"
    (image,) = caller.get("image-sets/photos/images/")["results"]
    assert (image["label"], image["width"]) == ("cat", 32)
    assert caller.get("image-sets/photos/")["n_images"] == 1
    again = caller.send("POST", "image-sets/", body, status=409)
    assert again["detail"] == "image set 'photos' exists already; take another slug"
    assert ImageSet.objects.count() == 1


def test_more_than_a_hundred_files_are_too_many(settings: Any) -> None:
    image_set(0)
    caller = Caller(superuser())
    files = [SimpleUploadedFile(f"{n}.png", b"x") for n in range(101)]
    answer = caller.client.post("/api/v1/image-sets/photos/images/", {"files": files}, headers=caller.headers)
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (422, "files")
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 100
    answer = caller.client.post("/api/v1/image-sets/photos/images/", {"files": files}, headers=caller.headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_recipes_are_stored_found_and_checked() -> None:
    caller = Caller(researcher())
    first = caller.send("POST", "recipes/", {"preset": "reg_free", "image_size": 64}, status=201)
    again = caller.send("POST", "recipes/", {"preset": "reg_free", "image_size": 64}, status=201)
    assert first == again
    assert first["spec"]["image_size"] == 64
    own = {**first["spec"], "steps": 7}
    mine = caller.send("POST", "recipes/", {"name": "mine", "spec": own}, status=201)
    assert caller.get(f"recipes/{mine['sha256']}/")["spec"] == own
    for body, said in (
        ({}, "give exactly one of: preset, spec"),
        ({"spec": own}, "a recipe of your own needs a name"),
        ({"name": "x", "spec": {**own, "steps": "many"}}, "steps"),
        ({"name": "x", "spec": {**own, "magic": 1}}, "magic"),
    ):
        assert said in caller.send("POST", "recipes/", body, status=422)["detail"]
    assert caller.send("POST", "recipes/", {"name": "mine", "spec": {**own, "steps": 8}}, status=409)


def queueing(**changes: Any) -> dict[str, Any]:
    return {"network": "net", "layers": ["pool", "fc"], "recipe": recipe().sha256, "image_set": "photos",
            **changes}  # fmt: skip


def test_pairs_are_queued_steered_and_cancelled() -> None:
    net, photos = network(), image_set(2)
    caller = Caller(member(Role.EDITOR, net, photos))
    first, second = caller.send("POST", "jobs/", queueing(priority=5), status=201)
    assert (first["layer"], first["total"], first["status"], first["priority"]) == ("pool", 2, "queued", 5)
    path = f"jobs/{first['job']}/"
    assert caller.send("POST", f"{path}pause/")["status"] == "paused"
    assert caller.send("POST", f"{path}resume/")["status"] == "queued"
    assert caller.send("PATCH", path, {"priority": -3})["priority"] == -3
    assert caller.send("POST", f"{path}cancel/")["status"] == "cancelled"
    assert caller.send("POST", f"{path}cancel/")["status"] == "cancelled"
    assert str(IRIJob.objects.get(pk=first["job"]).created_by) == "editor"
    assert [one["job"] for one in caller.get("jobs/?status=queued")["results"]] == [second["job"]]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"layers": ["pol"]}, 422, "network 'net' has no layer 'pol'; nearest: pool"),
        ({"layers": []}, 422, "layers"),
        ({"recipe": "0" * 64}, 404, "there is no such recipe"),
        ({"image_set": "others"}, 404, "there is no such image set"),
        ({"min_memory_gib": 7}, 422, "min_memory_gib"),
        ({"priority": 1001}, 422, "priority"),
    ],
)
def test_what_cannot_be_queued_is_said(change: dict[str, Any], status: int, said: str) -> None:
    net, photos = network(), image_set(1)
    image_set(1, slug="others")
    caller = Caller(member(Role.VIEWER, net, photos))
    assert said in caller.send("POST", "jobs/", queueing(**change), status=status)["detail"]
    assert not IRIJob.objects.exists()


def test_jobs_of_others_are_seen_but_not_steered_by_viewers() -> None:
    job = queued_job(1)
    viewer = Caller(member(Role.VIEWER, job.layer.network, job.image_set))
    assert viewer.get(f"jobs/{job.pk}/")["job"] == job.pk
    for action in ("pause", "resume", "cancel"):
        assert viewer.send("POST", f"jobs/{job.pk}/{action}/", status=403)["code"] == "role_too_low"


def test_iris_come_with_quality_and_images() -> None:
    job = finished_job(3)
    queued_job(1, slug="other")
    caller = Caller(member(Role.VIEWER, job.layer.network, job.image_set))
    found = caller.get("iris/?network=net&passed=true&status=done")["results"]
    assert len(found) == 3
    assert found[0]["relative_error"] == 0.1
    assert found[0]["passed"] is True
    assert caller.get("iris/?passed=false")["results"] == []
    one = caller.get(f"iris/{found[0]['id']}/")
    assert one["loss_trace"] == [[0, 1.0], [3, 0.1]]
    assert one["provenance"] == {"torch": "2.13.0"}
    for kind in ("iri", "start", "target"):
        answer = caller.ask("GET", f"iris/{one['id']}/{kind}.png")
        assert answer["Content-Type"] == "image/png"
        assert b"".join(answer.streaming_content).startswith(b"\x89PNG")
    assert caller.send("GET", f"iris/{one['id']}/other.png", status=404)["detail"].endswith(
        "iri, start, target"
    )
    stranger = Caller(researcher("eve"))
    assert stranger.get("iris/")["results"] == []
    assert stranger.send("GET", f"iris/{one['id']}/iri.png", status=404)["code"] == "not_found"


def test_lists_come_in_pages_that_lose_and_double_nothing() -> None:
    for n in range(7):
        image_set(0, slug=f"set-{n}")
    caller = Caller(superuser())
    seen, path = [], "image-sets/?limit=3"
    while path:
        page = caller.get(path)
        seen += [one["slug"] for one in page["results"]]
        image_set(0, slug=f"new-{len(seen)}")  # somebody makes one meanwhile
        path = page["next"].partition("/api/v1/")[2] if page["next"] and len(seen) < 7 else ""
    assert seen[:7] == [f"set-{n}" for n in range(7)]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "limit=²", "cursor=!!", "cursor=%00", "sort=name"),
        f"cursor={base64.b64encode(b'p=not-a-number').decode()}",
        f"cursor={base64.b64encode(b'p=9' + b'9' * 40).decode()}",
        f"cursor={base64.b64encode(b'o=99999999999999999999').decode()}",
    ],
)
def test_a_bad_cursor_limit_or_parameter_is_said(query: str) -> None:
    image_set(0)
    answer = Caller(superuser()).ask("GET", f"image-sets/?{query}")
    if answer.status_code == 200:  # a position past the end of everything is an empty page
        assert answer.json()["results"] == []
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert answer.json()["errors"][0]["path"] == query.partition("=")[0]


def n_queries(run: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        run()
    return len(asked)


@pytest.mark.parametrize(
    "path",
    ["networks/", "image-sets/", "image-sets/photos-0/images/", "recipes/", "jobs/", "iris/", "workers/"],
)
def test_long_lists_ask_no_more_questions_than_short_ones(path: str) -> None:
    caller = Caller(superuser())
    finished_job(2, slug="net")
    image_set(2, slug="photos-0")
    caller.get(path)
    few = n_queries(lambda: caller.get(path))
    for n in range(5):
        finished_job(3, slug=f"net-{n}")
        worker(f"iri@{n}")
        recipe(steps=4 + n)
    add_images(ImageSet.objects.get(slug="photos-0"), range(10, 15))
    assert len(caller.get(path)["results"]) > 2
    assert n_queries(lambda: caller.get(path)) <= few
