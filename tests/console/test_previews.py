"""One click previews a study as a participant; nothing of it is counted, scored, exported or left."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from survey_site.access.models import Role
from survey_site.analysis.exports import stream_responses_csv
from survey_site.analysis.results import due_results
from survey_site.analysis.session_counts import session_counts
from survey_site.participation.models import Presentation, StudySession
from survey_site.studies.models import Study, StudyVersion
from survey_site.studies.services import freeze_preview, open_study
from tests.builders import draft_study, logged_in, member, researcher, superuser
from tests.participation.visitor import Visitor, response

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    return draft_study(n=2, n_catch=0, quota=1, completion_code="DONE")


def ticket_of(study: Study) -> str:
    answer = logged_in(User.objects.filter(is_superuser=True).first() or superuser()).get(
        f"/admin/preview/{study.slug}/"
    )
    assert answer.status_code == 302
    address = urlsplit(answer["Location"])
    assert address.path == f"/s/{study.slug}/"
    given = parse_qs(address.query)
    assert given["mode"] == ["preview"]
    return given["ticket"][0]


def looked_through(ticket: str) -> Visitor:
    visitor = Visitor()
    info = visitor.call("GET", f"/api/studies/faces/?ticket={ticket}").json()
    assert info["accepting"] is True
    assert visitor.start(mode="preview", recruitment={"ticket": ticket}).status_code == 201
    assert visitor.consent(consent_version=info["consent_version"]).status_code == 200
    shown = visitor.presentations()
    visitor.log(*[response(seq, one) for seq, one in enumerate(shown, 1)])
    done = visitor.finish(len(shown)).json()
    assert (done["complete"], done["completion_code"], done["withdraw_url"]) == (True, "DONE", None)
    return visitor


def test_a_draft_is_previewed_whole_and_counts_nowhere(study: Study) -> None:
    looked_through(ticket_of(study))
    assert study.current_version is None
    assert not study.versions.exists()
    for mode in ("real", "pilot"):
        assert session_counts(study, mode)["opened"] == 0
        assert "".join(stream_responses_csv(study, mode=mode)).count("\n") == 1
    assert due_results() == []
    admin = logged_in(User.objects.get())
    listed = admin.get("/admin/participation/studysession/").context["cl"].result_count
    assert listed == 0
    assert admin.get("/admin/results/faces/?mode=preview").status_code == 404
    condition = study.conditions.get()
    condition.iri_seed = 7
    condition.clean()  # a preview freezes nothing


def test_the_next_preview_the_next_change_and_the_next_start_take_its_place(study: Study) -> None:
    first = looked_through(ticket_of(study))
    looked_through(ticket_of(study))
    assert first.me().status_code == 401
    assert StudyVersion.everything.count() == StudySession.objects.count() == 1
    assert Presentation.objects.count() == 2
    freeze_preview(study)
    assert not StudySession.objects.exists()


def test_a_preview_takes_no_ones_place_and_opening_begins_at_version_one(study: Study) -> None:
    ticket = ticket_of(study)
    looked_through(ticket)
    version = open_study(study=study)
    assert version.number == 1
    assert Visitor().start().status_code == 201  # the quota is one
    assert Visitor().info().json()["full"] is False


@pytest.mark.parametrize("ticket", ["", "faces", "faces:1abcde:x", "other"])
def test_without_a_ticket_there_is_no_preview(study: Study, ticket: str) -> None:
    good = ticket_of(study)
    if ticket == "other":
        ticket = ticket_of(draft_study("other", slug="other", n=2))
        assert ticket != good
    refused = Visitor().start(mode="preview", recruitment={"ticket": ticket})
    assert (refused.status_code, refused.json()["code"]) == (403, "no_preview")
    if ticket:
        info = Visitor().call("GET", f"/api/studies/faces/?ticket={ticket}")
        assert (info.status_code, info.json()["code"]) == (403, "no_preview")
    assert not StudySession.objects.exists()


def test_only_whoever_may_change_the_study_previews_it(study: Study) -> None:
    analyst, stranger = member(Role.ANALYST, study), researcher()
    address = "/admin/preview/faces/"
    assert Client().get(address)["Location"].startswith("/admin/login/")
    assert logged_in(analyst).get(address).status_code == 403
    assert logged_in(stranger).get(address).status_code == 404
    assert not StudyVersion.everything.exists()


def test_what_cannot_open_cannot_be_previewed_and_says_why(study: Study) -> None:
    study.conditions.all().delete()
    page = logged_in(superuser()).get("/admin/preview/faces/", follow=True).content.decode()
    assert "There is nothing to preview yet: the study has no conditions" in page


def test_a_study_that_was_previewed_can_be_deleted(study: Study) -> None:
    looked_through(ticket_of(study))
    admin = logged_in(User.objects.get())
    admin.post(f"/admin/studies/study/{study.pk}/delete/", {"post": "yes"})
    assert not Study.objects.exists()
