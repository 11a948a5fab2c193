"""The page of single-use links: who may see it, what it makes, what the file holds."""

import csv
import io

import pytest
from django.test import Client

from survey_site.access.models import AuditEvent, Role
from survey_site.participation.models import SingleUseLink
from tests.builders import logged_in, member, opened_study, researcher, superuser

pytestmark = pytest.mark.django_db

PAGE = "/admin/links/faces/"


def test_whoever_may_change_the_study_makes_links_and_downloads_them() -> None:
    study = opened_study(n=2, recruiter="single_use")
    client = logged_in(member(Role.EDITOR, study))
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
    opened_study(n=2, recruiter="single_use")
    assert 'role="alert"' in logged_in(superuser()).post(PAGE, {"n": n}).content.decode()
    assert not SingleUseLink.objects.exists()


def test_nobody_else_sees_a_link_and_other_studies_have_none() -> None:
    study = opened_study(n=2, recruiter="single_use")
    stranger, analyst = researcher(), member(Role.ANALYST, study)
    for address in (PAGE, f"{PAGE}links.csv"):
        assert Client().get(address).status_code == 302
        assert logged_in(stranger).get(address).status_code == 404
        assert logged_in(analyst).get(address).status_code == 403
    opened_study("other", slug="other", n=2)
    assert logged_in(superuser()).get("/admin/links/other/").status_code == 404


def test_the_study_leads_to_its_links() -> None:
    study = opened_study(n=2, recruiter="single_use")
    page = logged_in(superuser()).get(f"/admin/studies/study/{study.pk}/change/").content.decode()
    assert f'href="{PAGE}"' in page
