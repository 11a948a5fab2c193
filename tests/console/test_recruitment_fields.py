"""What the study's form asks of those who come by a recruiter."""

from typing import Any

import pytest

from survey_site.studies.models import Study
from tests.builders import draft_study, logged_in, superuser
from tests.console.test_admin import study_form, url

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("recruiter", "kept"), [("prolific", "abc123"), ("open", ""), ("mturk", "")])
def test_prolifics_study_id_is_kept_for_those_who_come_by_prolific(recruiter: str, kept: str) -> None:
    study = draft_study(n=2)
    client = logged_in(superuser())
    changes: dict[str, Any] = {"recruiter": recruiter, "recruiter_study_id": "abc123"}
    assert (
        client.post(url(Study, "change", study.pk), study_form(study, "_save", **changes)).status_code == 302
    )
    study.refresh_from_db()
    assert (study.recruiter, study.recruiter_study_id) == (recruiter, kept)


def test_its_field_is_shown_where_people_come_by_prolific() -> None:
    page = logged_in(superuser()).get(url(Study, "change", draft_study(n=2).pk)).content.decode()
    before, _, _ = page.partition('name="recruiter_study_id"')
    assert """x-show="recruiter == &#x27;prolific&#x27;\"""" in before.rpartition("<div class")[0][-3000:]
