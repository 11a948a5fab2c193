"""Asking simulated observers from the results page: who may, what it says, and what is refused."""

import pytest
from django.test import Client

from survey_site.access.models import Role
from survey_site.analysis import observing
from survey_site.analysis.models import Observation
from survey_site.studies.models import Study
from tests.builders import logged_in, member, network, opened_study, researcher, superuser

pytestmark = pytest.mark.django_db

ASK = "/admin/results/faces/observers/"
PAGE = "/admin/results/faces/"


def test_whoever_may_change_the_study_asks_and_sees_what_becomes_of_it() -> None:
    study = opened_study()
    network("other", layers=["conv"]).layers.update(role="pooled")
    client = logged_in(member(Role.ANALYST, study))
    page = client.get(PAGE).content.decode()
    assert 'value="lpips-alex-baseline"' in page
    answer = client.post(ASK, {"observer": ["ssim", "lpips-alex"]}, follow=True)
    assert "2 observers are asked; a worker judges, and the results follow." in answer.content.decode()
    assert set(Observation.objects.values_list("observer", flat=True)) == {"ssim", "lpips-alex"}
    lpips = Observation.objects.get(observer="lpips-alex")
    observing.fail_observation(lpips, reason="there is no alexnet.pth", can_pass=False)
    page = client.get(PAGE).content.decode()
    assert "<strong>LPIPS alex</strong>: unavailable – there is no alexnet.pth" in page
    assert "<strong>SSIM</strong>: waiting for a worker" in page


def test_layers_of_networks_that_one_may_see_are_offered() -> None:
    opened_study()
    network("seen", layers=["conv", "avgpool"]).layers.filter(name="avgpool").update(role="pooled")
    page = logged_in(superuser()).get(PAGE).content.decode()
    assert 'value="network:seen:avgpool"' in page
    assert 'value="network:seen:conv"' not in page


def test_a_viewer_is_not_offered_and_may_not_ask() -> None:
    study = opened_study()
    client = logged_in(member(Role.VIEWER, study))
    assert "Ask simulated observers" not in client.get(PAGE).content.decode()
    assert client.post(ASK, {"observer": ["ssim"]}).status_code == 403
    assert not Observation.objects.exists()


def test_strangers_find_nothing_and_the_anonymous_log_in() -> None:
    opened_study()
    stranger = logged_in(researcher())
    assert stranger.post(ASK, {"observer": ["ssim"]}).status_code == 404
    refused = Client().post(ASK, {"observer": ["ssim"]})
    assert (refused.status_code, refused["Location"]) == (302, f"/admin/login/?next={ASK}")
    assert logged_in(superuser()).get(ASK).status_code == 405
    assert not Observation.objects.exists()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no observer is named"),
        (["sim"], "there is no observer"),
        (["network:x:y"], "there is no network"),
    ],
)
def test_what_cannot_be_asked_is_said(names: list[str], message: str) -> None:
    opened_study()
    answer = logged_in(superuser()).post(ASK, {"observer": names}, follow=True)
    assert f"No observer was asked: {message}" in answer.content.decode()


def test_a_draft_offers_nothing_to_ask() -> None:
    Study.objects.create(slug="draft", name="Draft")
    page = logged_in(superuser()).get("/admin/results/draft/").content.decode()
    assert "Ask simulated observers" not in page
