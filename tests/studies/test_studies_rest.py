"""Studies over REST: a draft written part by part, opened, and never overwritten unseen."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.test.utils import CaptureQueriesContext

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import role_of
from survey_site.studies.models import Study, StudyStatus
from survey_site.studies.rest.base import StudyView
from survey_site.studies.services import open_study
from survey_site.studies.study_file import export_study_file
from tests.access.caller import Caller
from tests.builders import (
    draft_study,
    finished_job,
    member,
    opened_study,
    png,
    researcher,
    superuser,
    version_of,
)

pytestmark = pytest.mark.django_db

TEXT = dict.fromkeys(("title", "welcome", "consent", "instructions", "debrief", "refused"), "Ja")


def editor_of(study: Study, name: str = "") -> Caller:
    condition = study.conditions.first()
    shared = [condition.layer.network, condition.image_set] if condition else []
    return Caller(member(Role.EDITOR, study, *shared, name=name))


def test_a_study_is_made_filled_and_opened() -> None:
    job = finished_job(4)
    bea = member(Role.VIEWER, job.layer.network, job.image_set, name="bea")
    caller = Caller(bea)
    made = caller.send(
        "POST", "studies/", {"slug": "faces", "name": "Faces", "settings": {"n_catch": 1}}, status=201
    )
    study = Study.objects.get()
    assert (made["role"], role_of(bea, study), study.created_by) == ("owner", Role.OWNER, bea)
    assert made["version"] is None
    assert made["settings"]["n_catch"] == 1
    ready = caller.get("studies/faces/readiness/")
    assert ready["missing"] == ["the study has no conditions"]
    assert caller.send("POST", "studies/faces/open/", status=409)["detail"] == ready["missing"][0]
    condition = {"network": "net", "layer": "pool", "recipe": job.recipe.sha256, "image_set": "net-photos"}
    added = caller.send("POST", "studies/faces/conditions/", condition, status=201, match="*")
    assert added["slug"] == "net-pool-reg_free"
    caller.send("PUT", "studies/faces/texts/de/", TEXT, match="*")
    questions = [{"name": "age", "kind": "number", "label": "Age?"}]
    for language in ("en", "de"):
        caller.send("PUT", f"studies/faces/questions/{language}/", {"questions": questions}, match="*")
    rules = {"exclusion_rules": [{"rule": "catch_rate", "minimum": 0.5}]}
    assert caller.send("PUT", "studies/faces/exclusion-rules/", rules, match="*")["exclusion_rules"] == [
        {"rule": "catch_rate", "version": 1, "minimum": 0.5}
    ]
    assert caller.get("studies/faces/readiness/")["trials"]["main"] == 4
    opened = caller.send("POST", "studies/faces/open/")
    assert (opened["status"], opened["version"]["number"]) == ("open", 1)
    (version,) = caller.get("studies/faces/versions/")["results"]
    assert version["sha256"] == version_of(study).sha256
    whole = caller.get("studies/faces/versions/1/")
    assert set(whole["texts"]) == {"en", "de"}
    assert whole["settings"]["n_catch"] == 1
    for action, status in (("pause", "paused"), ("close", "closed"), ("open", "open")):
        assert caller.send("POST", f"studies/faces/{action}/")["status"] == status
    assert AuditEvent.objects.filter(user=bea, action="open study").count() == 2


def test_two_who_change_one_study_do_not_overwrite_each_other() -> None:
    study = draft_study()
    ada, bea = editor_of(study, "ann"), editor_of(study, "ben")
    seen = ada.ask("GET", "studies/faces/")["ETag"]
    changed = bea.ask("PATCH", "studies/faces/", {"settings": {"minutes": 9}}, match=seen)
    assert changed.status_code == 200
    assert changed["ETag"] != seen
    refused = ada.send("PATCH", "studies/faces/", {"name": "Mine"}, status=412, match=seen)
    assert refused["code"] == "changed_meanwhile"
    assert "ben: " in refused["detail"]
    assert "minutes: 5 → 9" in refused["detail"]
    study.refresh_from_db()
    assert (study.name, study.minutes) == ("Faces", 9)
    assert ada.send("PATCH", "studies/faces/", {"name": "Mine"}, match=changed["ETag"])["name"] == "Mine"
    for garbage in ('"x"', "1;2;3", '""', 'W/"1"', '"99999999999999999999"', "a, b"):
        ada.send("PATCH", "studies/faces/", {"name": "x"}, status=412, match=garbage)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "conditions/", {}),
        ("PUT", "conditions/a/", {}),
        ("DELETE", "conditions/net-pool-reg_free/", None),
        ("PUT", "texts/de/", TEXT),
        ("DELETE", "texts/en/", None),
        ("PUT", "questions/en/", {"questions": []}),
        ("PUT", "exclusion-rules/", {"exclusion_rules": []}),
        ("DELETE", "icons/cat/", None),
        ("PUT", "file/", {}),
    ],
)
def test_every_change_says_what_it_changes_and_an_open_study_takes_none(
    method: str, path: str, body: Any
) -> None:
    study = opened_study()
    owner = Caller(member(Role.OWNER, study))
    asked = owner.send(method, f"studies/faces/{path}", body, status=428)
    assert asked["code"] == "precondition_required"
    design = {"settings": {"minutes": 9}} if path == "" and method == "PATCH" else body
    refused = owner.send(method, f"studies/faces/{path}", design, status=409, match="*")
    assert "study 'faces' is open; pause or close it before its design is changed" in refused["detail"]
    study.refresh_from_db()
    assert study.minutes == 5


def test_where_people_come_from_may_change_while_they_come() -> None:
    study = opened_study()
    changed = editor_of(study).send(
        "PATCH", "studies/faces/", {"settings": {"recruiter": "prolific"}, "name": "New"}, match="*"
    )
    assert (changed["name"], changed["settings"]["recruiter"]) == ("New", "prolific")


@pytest.mark.parametrize(
    ("path", "body", "where", "said"),
    [
        ("", {"settings": {"minutes": -1}}, "settings.minutes", "greater than or equal to 0"),
        ("", {"settings": {"minutes": "soon"}}, "settings.minutes", "valid integer"),
        ("", {"settings": {"mobile_policy": "hide"}}, "settings.mobile_policy", "hide"),
        ("", {"settings": {"completion_url": "javascript:1"}}, "settings.completion_url", "URL"),
        ("", {"settings": {"base_pay": "0.5", "currency": "JPY"}}, "base_pay", "JPY"),
        ("", {"name": ""}, "name", "blank"),
        ("conditions/a/", {"network": "nat"}, "layer", "required"),
        ("texts/de/", {**TEXT, "consent": ""}, "consent", "blank"),
        ("texts/a-longer-one/", TEXT, "language", "'a-longer-one'; Ensure this value has at most 10"),
        ("questions/en/", {"questions": [{"name": "a", "kind": "scale", "label": "b"}]}, "questions.0",
         "a scale needs a smallest and a largest number"),
        ("exclusion-rules/", {"exclusion_rules": [{"rule": "luck"}]}, "exclusion_rules.0", "'luck'"),
        ("file/", {"irisurvey_study": 1, "slug": "faces", "name": 3}, "name", "is 3; allowed: text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_path(path: str, body: Any, where: str, said: str) -> None:
    caller = editor_of(draft_study())
    method = "PUT" if path else "PATCH"
    refused = caller.send(method, f"studies/faces/{path}", body, status=422, match="*")
    assert refused["code"] == "invalid"
    assert (refused["errors"][0]["path"], said in refused["errors"][0]["detail"]) == (where, True), refused


def test_conditions_use_what_is_shared_and_name_what_is_not() -> None:
    study = draft_study()
    other = finished_job(4, slug="other")
    caller = editor_of(study)
    condition = caller.get("studies/faces/conditions/net-pool-reg_free/")
    refused = caller.send(
        "POST", "studies/faces/conditions/", {**condition, "network": "other"}, status=422, match="*"
    )
    assert refused["errors"] == [{"path": "network", "detail": "is 'other'; allowed: net"}]
    assert other.layer.network.slug == "other"
    changed = {**condition, "shows": "target"}
    assert caller.send("PUT", "studies/faces/conditions/control/", changed, match="*")["slug"] == "control"
    assert [one["slug"] for one in caller.get("studies/faces/conditions/")["results"]] == [
        "control",
        "net-pool-reg_free",
    ]
    caller.send("DELETE", "studies/faces/conditions/control/", status=204, match="*")
    caller.send("DELETE", "studies/faces/conditions/control/", status=404, match="*")


def test_a_condition_that_people_saw_stays() -> None:
    study = opened_study()
    caller = editor_of(study)
    caller.send("POST", "studies/faces/pause/")
    path = "studies/faces/conditions/net-pool-reg_free/"
    refused = caller.send("DELETE", path, status=409, match="*")
    assert "condition net-pool-reg_free cannot be deleted" in refused["detail"]
    changed = {**caller.get(path), "iri_seed": 5}
    assert "part of an opened study" in caller.send("PUT", path, changed, status=409, match="*")["detail"]


def test_a_draft_is_deleted_by_owners_and_an_opened_study_stays() -> None:
    study = draft_study()
    assert editor_of(study).send("DELETE", "studies/faces/", status=403, match="*")["code"] == "role_too_low"
    owner = Caller(member(Role.OWNER, study))
    owner.send("DELETE", "studies/faces/", status=204, match="*")
    assert not Study.objects.exists()
    opened_study("again", slug="again")
    caller = Caller(superuser())
    caller.send("POST", "studies/again/close/")
    refused = caller.send("DELETE", "studies/again/", status=409, match="*")
    assert "Again v1 (no sessions)" in refused["detail"]


def test_a_taken_slug_is_refused() -> None:
    draft_study()
    refused = Caller(researcher()).send("POST", "studies/", {"slug": "faces", "name": "x"}, status=409)
    assert refused["detail"] == "study 'faces' exists already"


def test_an_editor_clones_a_study_and_owns_the_clone() -> None:
    study = opened_study()
    editor = member(Role.EDITOR, study)
    body = {"slug": "again", "name": "Again", "with_conditions": False}
    Caller(member(Role.ANALYST, study)).send("POST", "studies/faces/clone/", body, status=403)
    made = Caller(editor).send("POST", "studies/faces/clone/", body, status=201)
    assert (made["status"], made["role"], made["version"]) == ("draft", "owner", None)
    assert not Study.objects.get(slug="again").conditions.exists()
    refused = Caller(researcher("cem")).send("POST", "studies/faces/clone/", body, status=404)
    assert refused["code"] == "not_found"


def test_codes_are_for_editors() -> None:
    study = opened_study(completion_code="DONE", refusal_code="NO")
    for role, seen in ((Role.ANALYST, ""), (Role.EDITOR, "DONE")):
        caller = Caller(member(role, study))
        assert caller.send("GET", "studies/faces/")["settings"]["completion_code"] == seen
        assert caller.send("GET", "studies/faces/versions/1/")["settings"]["completion_code"] == seen


def test_a_change_under_any_state_leaves_the_status_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody opens between the look and the lock; `*` writes over it, and takes nothing back."""
    study = draft_study()
    look = StudyView.study

    def slow(self: StudyView, *args: Any, **options: Any) -> Study:
        found = look(self, *args, **options)
        if found.status == StudyStatus.DRAFT:
            open_study(study=study)
        return found

    monkeypatch.setattr(StudyView, "study", slow)
    Caller(superuser()).send("PATCH", "studies/faces/", {"name": "Renamed"}, match="*")
    study.refresh_from_db()
    assert (study.name, study.status) == ("Renamed", StudyStatus.OPEN)


def test_the_preview_link_shows_the_draft() -> None:
    study = draft_study()
    link = editor_of(study).send("POST", "studies/faces/preview/")
    assert "/s/faces/?mode=preview&ticket=faces" in link["url"]
    assert Study.objects.get().status == StudyStatus.DRAFT


def test_files_go_out_and_come_in() -> None:
    study = draft_study("net", "other")
    caller = Caller(superuser())
    for kind in ("json", "yaml"):
        answer = caller.ask("GET", f"studies/faces/study.{kind}")
        assert answer["Content-Type"] == f"application/{kind}"
        assert answer.content.decode() == export_study_file(study, kind)
        put = caller.client.put(
            "/api/v1/studies/faces/file/", answer.content, content_type=f"application/{kind}",
            headers={**caller.headers, "If-Match": answer["ETag"]},
        )  # fmt: skip
        assert put.status_code == 200, put.content
    assert caller.send("GET", "studies/faces/study.toml", status=404)["detail"].endswith("json, yaml")
    text = export_study_file(study, "yaml")
    study.delete()
    post = caller.client.post(
        "/api/v1/study-files/", text, content_type="application/yaml", headers=caller.headers
    )
    assert (post.status_code, post.json()["slug"]) == (201, "faces")
    again = caller.client.post(
        "/api/v1/study-files/", text, content_type="application/yaml", headers=caller.headers
    )
    assert (again.status_code, again.json()["code"]) == (409, "refused")
    for body, kind, status, code in (
        (b"x" * 3_000_000, "application/yaml", 413, "too_large"),
        (b"x" * 1_100_000, "application/yaml", 422, "invalid"),
        (b"a: [", "application/yaml", 422, "invalid"),
        (b"a: 1", "text/plain", 415, "unsupported_media_type"),
        (b"", "application/json", 422, "invalid"),
    ):
        answer = caller.client.post("/api/v1/study-files/", body, content_type=kind, headers=caller.headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def test_icons_are_pictures_of_labels() -> None:
    caller = editor_of(draft_study())
    for data, status in ((png(3), 200), (b"no picture", 422)):
        body = encode_multipart(BOUNDARY, {"file": SimpleUploadedFile("cat.png", data)})
        answer = caller.client.put(
            "/api/v1/studies/faces/icons/a%20cat/", body, content_type=MULTIPART_CONTENT,
            headers={**caller.headers, "If-Match": "*"},
        )  # fmt: skip
        assert answer.status_code == status, answer.content
    (icon,) = caller.get("studies/faces/icons/")["results"]
    assert icon["label"] == "a cat"
    caller.send("DELETE", "studies/faces/icons/a cat/", status=204, match="*")
    assert caller.get("studies/faces/icons/")["results"] == []


def test_a_body_without_bound_is_not_read() -> None:
    caller = editor_of(draft_study())
    answer = caller.ask("PATCH", "studies/faces/", b'{"name": "' + b"x" * 3_000_000 + b'"}', match="*")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_lists_of_studies_and_conditions_ask_as_much_for_many_as_for_few() -> None:
    draft_study("net")
    caller = Caller(superuser())
    paths = ("studies/", "studies/faces/conditions/")
    few = [_queries(caller, path) for path in paths]
    for n in range(4):
        more = draft_study(f"net-{n}", slug=f"more-{n}")
        more.conditions.update(study=Study.objects.get(slug="faces"), slug=f"more-{n}")
    assert len(caller.get("studies/faces/conditions/")["results"]) == 5
    assert [_queries(caller, path) for path in paths] == few


def _queries(caller: Caller, path: str) -> int:
    caller.get(path)
    with CaptureQueriesContext(connection) as asked:
        caller.get(path)
    return len(asked)
