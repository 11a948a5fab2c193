"""The gallery of a set: found, sorted, labelled, and removed where nothing was made of it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from PIL import Image

from survey_site.access.models import AuditEvent, Role
from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet, Network, NetworkState, TargetImage
from survey_site.stimuli.network_needs import network_needs
from tests.builders import (
    image_set,
    logged_in,
    member,
    network,
    opened_study,
    png,
    queued_job,
    researcher,
    superuser,
)

pytestmark = pytest.mark.django_db

GALLERY = "/admin/image-sets/photos/images/"


@pytest.fixture
def photos() -> ImageSet:
    made = image_set(0)
    files = [
        ("b.png", png(1, width=64, height=40), "cat"),
        ("a.png", png(2, width=300, height=240), "dog"),
        ("c.png", png(3, width=100, height=90), ""),
    ]
    services.import_images(image_set=made, files=files)
    return made


@pytest.fixture
def client(photos: ImageSet) -> Client:
    return logged_in(member(Role.EDITOR, photos))


def shown(client: Client, **query: str) -> str:
    """First letters of the images, in order."""
    page = client.get(GALLERY, query)
    assert page.status_code == 200
    return "".join(target.name[0] for target in page.context["page"])


def said(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def ids(*names: str) -> list[Any]:
    return list(TargetImage.objects.filter(name__in=names).values_list("pk", flat=True))


def test_images_are_sorted(client: Client) -> None:
    orders = {sort: shown(client, sort=sort) for sort in ("", "name", "label", "smallest", "largest", "odd")}
    assert orders == {
        "": "abc", "name": "abc", "label": "cba", "smallest": "bca", "largest": "acb", "odd": "abc",
    }  # fmt: skip
    assert sorted(shown(client, sort="newest")) == ["a", "b", "c"]


def test_images_are_found_by_name_label_and_size(client: Client) -> None:
    assert shown(client, q="A.P") == "a"
    assert shown(client, label="cat") == "b"
    assert shown(client, label="-") == "c"
    assert shown(client, smaller_than="91") == "bc"
    for odd in ("", "-1", "9" * 30, "x", "²", "\0"):
        assert shown(client, smaller_than=odd, page=odd, q=odd if odd == "\0" else "") == "abc"


def test_ticked_images_get_a_label_or_leave(client: Client, photos: ImageSet) -> None:
    answer = client.post(
        GALLERY + "?sort=label", {"image": ids("a.png", "c.png"), "set_label": "", "label": " Fox "}
    )
    assert answer["Location"] == GALLERY + "?sort=label"
    assert photos.targets.label_counts() == [("cat", 1), ("Fox", 2)]
    answer = client.post(GALLERY, {"image": ids("a.png"), "remove": "1"})
    assert said(answer)[-1] == "1 images were removed from the set."
    assert shown(client) == "bc"
    event = AuditEvent.objects.get(action="delete images")
    assert (event.subject, event.detail) == ("photos", {"n": 1, "names": ["a.png"]})


def test_nothing_ticked_is_said(client: Client) -> None:
    for given in ({"remove": "1"}, {"remove": "1", "image": "odd"}):
        assert said(client.post(GALLERY, given))[-1] == "Tick the images first."


def test_an_image_that_iris_match_stays_and_they_are_named() -> None:
    job = queued_job(2)
    editor = logged_in(member(Role.EDITOR, job.image_set, job.layer.network))
    gallery = reverse("image-gallery", args=[job.image_set.slug])
    answer = editor.post(gallery, {"image": ids("0.png", "1.png"), "remove": "1"})
    assert said(answer) == [
        f"{name} stays: IRIs match it: Net · pool (job {job.pk})." for name in ("0.png", "1.png")
    ]
    assert job.image_set.targets.count() == 2


def test_what_is_not_shared_is_counted_and_not_named() -> None:
    job = queued_job(1)
    editor = logged_in(member(Role.EDITOR, job.image_set))
    gallery = reverse("image-gallery", args=[job.image_set.slug])
    answer = editor.post(gallery, {"image": ids("0.png"), "remove": "1"})
    assert said(answer) == ["0.png stays: 1 IRIs of networks that are not shared with you match it."]


def test_an_image_that_trials_show_stays_and_the_study_is_named() -> None:
    opened_study(n=2)
    target = TargetImage.objects.all()[0]
    uses = services.uses_of(target, user=superuser())
    assert uses.endswith("; trials show them: study Faces (no sessions)")


def test_an_iri_that_is_queued_meanwhile_keeps_its_image(monkeypatch: pytest.MonkeyPatch) -> None:
    job = queued_job(1)
    monkeypatch.setattr("survey_site.stimuli.services.targets.uses_of", lambda *_, **__: "")
    removal = services.remove_targets(
        image_set=job.image_set, targets=TargetImage.objects.all(), user=superuser()
    )
    assert removal.kept == [("0.png", "an IRI of it was queued just now")]


def test_each_network_says_what_it_needs_and_which_images_are_smaller(photos: ImageSet) -> None:
    made, hidden = network("net"), network("hidden")
    Network.objects.filter(pk=made.pk).update(input_size=96)
    pending = services.register_network(
        slug="new", name="New", source="torchvision", architecture="resnet18", random_seed=0
    )
    assert pending.state == NetworkState.PENDING
    viewer = member(Role.VIEWER, photos, made)
    (need,) = network_needs(photos, user=viewer)
    assert (need.network, need.size, need.n_smaller) == (made, 96, 2)
    assert need.smallest == ["b.png (64 × 40)", "c.png (100 × 90)"]
    assert {one.network for one in network_needs(photos, user=superuser())} == {made, hidden}
    page = logged_in(viewer).get(f"/admin/stimuli/imageset/{photos.pk}/change/").content.decode()
    assert "96 × 96" in page
    assert "?smaller_than=96&amp;sort=smallest" in page


def test_a_thumbnail_is_small_and_kept_by_the_browser(client: Client, photos: ImageSet) -> None:
    target = photos.targets.get(name="a.png")
    answer = client.get(reverse("admin-thumbnail", args=[target.image_id]))
    assert Image.open(io.BytesIO(answer.content)).size == (256, 205)
    assert answer["Content-Type"] == "image/webp"
    assert "immutable" in answer["Cache-Control"]
    assert "private" in answer["Cache-Control"]


def test_a_set_that_is_not_shared_is_not_there(photos: ImageSet) -> None:
    assert logged_in(researcher("nobody")).get(GALLERY).status_code == 404
