"""The questionnaire's file from the results page."""

import pytest
from django.test import Client

from tests.builders import logged_in, opened_study, researcher, superuser

pytestmark = pytest.mark.django_db

ADDRESS = "/admin/results/faces/questionnaire.csv"


def test_whoever_sees_the_study_downloads_it() -> None:
    opened_study(n=2)
    admin = logged_in(superuser())
    file = admin.get(ADDRESS)
    assert file["Content-Disposition"] == 'attachment; filename="faces-real-questionnaire.csv"'
    assert b"".join(file.streaming_content).startswith(b"participant_id,")  # type: ignore[attr-defined]
    assert f'href="{ADDRESS}?mode=real"' in admin.get("/admin/results/faces/").content.decode()
    assert Client().get(ADDRESS).status_code == 302
    assert logged_in(researcher()).get(ADDRESS).status_code == 404
