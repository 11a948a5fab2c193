"""The page of single-use links: who may see it, what it makes, what the file holds."""

import csv
import io

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from survey_site.access.models import AuditEvent
from survey_site.access.services import make_owner
from survey_site.participation.models import SingleUseLink
from tests.builders import logged_in, opened_study, researcher, superuser

pytestmark = pytest.mark.django_db

PAGE = "/admin/links/faces/"


def editor() -> User:
    bea = researcher()
    bea.user_permissions.add(Permission.objects.get(codename="change_study"))
    return User.objects.get(pk=bea.pk)


def test_whoever_may_change_the_study_makes_links_and_downloads_them() -> None:
    study = opened_study(n=1, recruiter="single_use")
    bea = editor()
    make_owner(user=bea, of=study)
    client = logged_in(bea)
    answer = client.post(PAGE, {"n": 3}, follow=True).content.decode()
    assert "3 new links; the file below has them." in answer
    assert "<strong>3</strong> links" in answer
    assert "<strong>0</strong> used" in answer
    file = client.get(f"{PAGE}links.csv")
    assert file["Content-Disposition"] == 'attachment; filename="faces-links.csv"'
    tokens = {row["link"].split("?link=")[1] for row in csv.DictReader(io.StringIO(file.content.decode()))}
    assert tokens == set(SingleUseLink.objects.values_list("token", flat=True))
    assert list(AuditEvent.objects.values_list("action", flat=True))[:2] == ["export links", "make links"]


@pytest.mark.parametrize("n", ["0", "10001", "many", ""])
def test_a_number_that_cannot_be_makes_none(n: str) -> None:
    opened_study(n=1, recruiter="single_use")
    assert 'role="alert"' in logged_in(superuser()).post(PAGE, {"n": n}).content.decode()
    assert not SingleUseLink.objects.exists()


def test_nobody_else_sees_a_link_and_other_studies_have_none() -> None:
    study = opened_study(n=1, recruiter="single_use")
    stranger, viewer = editor(), researcher("viewer")
    make_owner(user=viewer, of=study)
    for address in (PAGE, f"{PAGE}links.csv"):
        assert Client().get(address).status_code == 302
        assert logged_in(stranger).get(address).status_code == 404
        assert logged_in(viewer).get(address).status_code == 403
    opened_study("other", slug="other", n=1)
    assert logged_in(superuser()).get("/admin/links/other/").status_code == 404


def test_the_study_leads_to_its_links() -> None:
    study = opened_study(n=1, recruiter="single_use")
    page = logged_in(superuser()).get(f"/admin/studies/study/{study.pk}/change/").content.decode()
    assert f'href="{PAGE}"' in page
