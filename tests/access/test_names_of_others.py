"""Lists, filters and choices name nothing that is not shared, and who did what stays known."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from survey_site.access.models import AuditEvent, Membership, Role
from survey_site.participation.models import StudySession
from survey_site.studies.models import Study
from tests.builders import logged_in, member, opened_study, researcher, superuser
from tests.participation.visitor import running

pytestmark = pytest.mark.django_db

LISTS = [
    "participation_studysession", "analysis_exclusion", "stimuli_iri", "stimuli_irijob", "stimuli_layer",
    "stimuli_network", "stimuli_imageset", "studies_study",
]  # fmt: skip


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.mark.parametrize("name", LISTS)
def test_a_strangers_lists_name_nothing_of_others(name: str) -> None:
    """Two of each, since Django hides a filter that has one choice."""
    for slug in ("secret-one", "secret-two"):
        opened_study(f"{slug}-net", slug=slug, n=2)
        running(slug)
    page = logged_in(researcher()).get(reverse(f"admin:{name}_changelist")).content.decode()
    assert "secret" not in page.lower()


def test_codes_are_shown_to_editors_on_the_form_and_to_nobody_in_the_history() -> None:
    study = opened_study(completion_code="DONE-FIRST")
    study.name = "Renamed"
    study.save()
    Study.objects.filter(pk=study.pk).update(status="paused")
    study.refresh_from_db()
    study.completion_code = "DONE-SECOND"
    study.save()
    form = reverse("admin:studies_study_change", args=[study.pk])
    history = reverse("admin:studies_study_history", args=[study.pk])
    for role, is_shown in ((Role.VIEWER, False), (Role.ANALYST, False), (Role.EDITOR, True)):
        client = logged_in(member(role, study))
        assert ("DONE-SECOND" in client.get(form).content.decode()) is is_shown
        told = client.get(history).content.decode()
        assert "completion code" in told
        assert "DONE-" not in told


def test_what_participants_wrote_is_for_analysts() -> None:
    study = opened_study()
    running()
    page = reverse("admin:participation_studysession_change", args=[StudySession.objects.get().pk])
    assert "Problems reported" not in logged_in(member(Role.VIEWER, study)).get(page).content.decode()
    assert "Problems reported" in logged_in(member(Role.ANALYST, study)).get(page).content.decode()


def test_people_are_made_inactive_and_never_deleted() -> None:
    bea = researcher()
    admin = logged_in(superuser())
    assert admin.post(reverse("admin:auth_user_delete", args=[bea.pk]), {"post": "yes"}).status_code == 403
    admin.post(
        reverse("admin:auth_user_changelist"), {"action": "delete_selected", "_selected_action": [bea.pk]}
    )
    assert User.objects.filter(pk=bea.pk).exists()


def test_a_role_that_a_superuser_changes_is_in_the_audit_log() -> None:
    study = opened_study()
    bea = member(Role.VIEWER, study, name="bea")
    row = Membership.objects.on(study).get(user=bea)
    admin = logged_in(superuser())
    admin.post(reverse("admin:access_membership_delete", args=[row.pk]), {"post": "yes"})
    assert AuditEvent.objects.filter(action="unshare", subject=str(study)).get().detail["user"] == "bea"


def test_deleting_a_study_in_the_admin_is_in_the_audit_log() -> None:
    study = Study.objects.create(slug="empty", name="Empty")
    logged_in(superuser()).post(reverse("admin:studies_study_delete", args=[study.pk]), {"post": "yes"})
    assert not Study.objects.exists()
    assert AuditEvent.objects.filter(action="delete study", subject="Empty").exists()
