"""Every address of the site against everybody who may come to it. An address without a row here fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.contrib.messages import get_messages
from django.core.files.base import ContentFile
from django.db import transaction
from django.test import Client
from django.urls import get_resolver, reverse
from django.urls.resolvers import URLResolver
from django.utils.timezone import now

from survey_site.access.models import ApiToken, AuditEvent, Role
from survey_site.access.role_admin import ReadOnlyAdmin, RoleAdmin, SharedAdmin
from survey_site.access.roles import ExportLevel
from survey_site.access.services import record_event
from survey_site.access.tokens import make_token
from survey_site.analysis.exclusion_services import exclude_session
from survey_site.analysis.exporting.kinds import KINDS
from survey_site.analysis.models import Export
from survey_site.analysis.results import compute_results
from survey_site.participation.models import StudySession
from survey_site.stimuli.models import IRI, ImageUpload
from survey_site.studies.models import Study
from tests.access.api_rows import API_ROWS
from tests.builders import logged_in, member, opened_study, researcher, superuser, worker
from tests.participation.visitor import response, running

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "participant", "stranger", "viewer", "analyst", "editor", "owner", "superuser")

# What each of PEOPLE meets, in that order: L is sent to the login page, H finds nothing there, R is refused,
# A is allowed in.
PUBLIC = "AAAAAAAA"
PARTICIPANT = "RARRRRRR"
STAFF = "LLAAAAAA"
VIEWER = "LLHAAAAA"
ANALYST = "LLHRAAAA"
EDITOR = "LLHRRAAA"
OWNER = "LLHRRRAA"
SUPERUSER = "LLRRRRRA"
NOBODY = "LLRRRRRR"
NOT_THERE = "LLHHHHHH"
OWN = "LLHHHHAA"


@dataclass(frozen=True)
class Row:
    """One address: its name, how to fill it, and what becomes of a request."""

    name: str
    expected: str
    arguments: Callable[[World], dict[str, Any]] = lambda world: {}
    method: str = field(default="get", kw_only=True)
    data: dict[str, Any] | None = field(default=None, kw_only=True)

    def path(self, world: World) -> str:
        return reverse(self.name, kwargs=self.arguments(world))


class World:
    """An opened study with a participant under way and results, shared with one person a role."""

    def __init__(self) -> None:
        self.study = opened_study(n=4)
        self.visitor = running()
        shown = self.visitor.presentations()
        self.visitor.log(*(response(seq, one) for seq, one in enumerate(shown, start=1)))
        self.visitor.finish(len(shown))
        exclude_session(StudySession.objects.get(), reason="a test of roles")
        compute_results(self.study, "real")
        self.linked = opened_study("linked", slug="linked", n=2, recruiter="single_use")
        worker()
        Group.objects.create(name="lab")
        record_event(user=None, action="test", subject=self.study)
        job = self.study.conditions.get().iris()[0].job
        self.job = job
        shared = (self.study, self.linked, job.layer.network, job.image_set)
        members = {role.value: member(role, *shared) for role in Role}
        self.owner = members["owner"]
        make_token(user=self.owner, name="test", scopes=["read"])
        people = {role: logged_in(user) for role, user in members.items()}
        self.people = {
            "anonymous": Client(),
            "participant": Client(headers={"Authorization": f"Session {self.visitor.token}"}),
            "stranger": logged_in(researcher("stranger")),
            **people,
            "superuser": logged_in(superuser()),
        }


def nothing(world: World) -> dict[str, Any]:
    return {}


def slug(world: World) -> dict[str, Any]:
    return {"slug": "faces"}


def linked(world: World) -> dict[str, Any]:
    return {"slug": "linked"}


def figure(world: World) -> dict[str, Any]:
    results = compute_results(world.study, "real")
    return {"slug": "faces", "name": results.figures.values_list("name", flat=True)[0]}


def iri_image(world: World) -> dict[str, Any]:
    return {"image_id": IRI.objects.filter(job=world.job)[0].image_id}


def images(world: World) -> dict[str, Any]:
    return {"slug": world.job.image_set.slug}


def image_upload(world: World) -> dict[str, Any]:
    made, _ = ImageUpload.objects.get_or_create(image_set=world.job.image_set)
    return {**images(world), "upload_id": made.pk}


def presented(world: World) -> dict[str, Any]:
    address = world.visitor.presentations()[0]["references"][0]["image"].rsplit("/", 1)[1]
    presentation, place, mac = address.removesuffix(".png").rsplit("-", 2)
    return {"presentation": presentation, "place": place, "mac": mac}


def withdrawal(world: World) -> dict[str, Any]:
    session, mac = world.visitor.me().json()["withdraw_url"].rstrip("/").rsplit("/", 1)[1].rsplit("-", 1)
    return {"session_id": session, "mac": mac}


NIL = "00000000-0000-0000-0000-000000000000"
ACT = {"action": "approve", "sessions": [NIL], "key": NIL}


def exported(name: str) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"slug": "faces", "name": name}


def written(level: ExportLevel) -> Callable[[World], dict[str, Any]]:
    """An export in the background whose file is there."""

    def fill(world: World) -> dict[str, Any]:
        export = Export(study=world.study, kind="conditions.csv", level=level, state="done", expires_at=now())
        export.file.save("conditions.csv", ContentFile(b"study"))
        return {"export_id": export.pk}

    return fill


EXPORT_FORM = {"kind": "wide.csv", "mode": "real", "exclusions": "marked", "level": "1"}

ROWS = [
    # Participants
    Row("survey-page", PUBLIC, slug),
    Row("presented-image", PUBLIC, presented),  # by an address that cannot be guessed
    Row("withdraw", PUBLIC, withdrawal),
    Row("api-study", PUBLIC, slug),
    Row("api-sessions", PUBLIC, method="post"),
    Row("prolific-webhook", "RRRRRRRR", method="post"),  # unsigned
    Row("api-session", PARTICIPANT),
    Row("api-manifest", PARTICIPANT),
    Row("api-log", PARTICIPANT, method="post"),
    Row("api-consent", PARTICIPANT, method="post"),
    Row("api-finish", PARTICIPANT, method="post"),
    # Programs
    *(
        Row(name, expected, fill[0] if fill else nothing, method=method)
        for name, method, expected, *fill in API_ROWS
    ),
    # Researchers
    Row("admin-progress", STAFF, data={"jobs": "1"}),
    Row("admin-image", VIEWER, iri_image),
    Row("admin-thumbnail", VIEWER, iri_image),
    Row("image-gallery", VIEWER, images),
    Row("image-gallery", EDITOR, images, method="post"),
    Row("image-upload", EDITOR, images),
    Row("image-upload", EDITOR, images, method="post"),
    Row("image-upload-start", EDITOR, images, method="post", data={"folders": "[]"}),
    Row("image-upload-files", EDITOR, image_upload, method="post", data={"paths": "[]"}),
    Row("image-upload-go-on", EDITOR, image_upload, method="post"),
    Row("image-upload-report", VIEWER, image_upload),
    Row("image-upload-report", EDITOR, image_upload, method="post"),
    Row("live", VIEWER, slug),
    Row("live-act", ANALYST, slug, method="post"),  # an empty form: what is wrong is said
    Row("live-act", EDITOR, slug, method="post", data=ACT),
    Row("payments-csv", OWNER, slug),
    Row("results", VIEWER, slug),
    *(Row(f"figure-{kind}", VIEWER, figure) for kind in ("svg", "png", "csv")),
    Row("report-html", VIEWER, slug),
    Row("report-pdf", VIEWER, slug),
    Row("export", ANALYST, slug),
    Row("export", ANALYST, slug, method="post", data=EXPORT_FORM),
    Row("export", OWNER, slug, method="post", data={**EXPORT_FORM, "level": "2"}),
    *(Row("export-download", ANALYST, exported(name)) for name in KINDS),
    Row("export-download", OWNER, exported("responses.csv"), data={"level": "full"}),
    Row("export-file", ANALYST, written(ExportLevel.DEIDENTIFIED)),
    Row("export-file", OWNER, written(ExportLevel.FULL)),
    Row("ask-observers", ANALYST, slug, method="post"),
    Row("preview", EDITOR, slug),
    Row("builder", EDITOR, slug),
    *(Row(name, EDITOR, slug, method="post") for name in ("builder", "builder-outlook", "builder-texts")),
    Row("builder-texts", EDITOR, slug),
    Row("builder-text-preview", EDITOR, slug, method="post"),
    Row("builder-pilot", EDITOR, slug),
    *(Row(name, EDITOR, slug, method="post") for name in ("start-pilot", "send-bots", "clone-study")),
    Row("versions", VIEWER, slug),
    Row("set-status", EDITOR, lambda world: {**slug(world), "status": "open"}, method="post"),
    Row("single-use-links", EDITOR, linked),
    Row("single-use-links", EDITOR, linked, method="post", data={"n": 1}),
    Row("single-use-links-csv", EDITOR, linked),
    Row("system-status", SUPERUSER),
    # Machines
    Row("healthz", PUBLIC),
    Row("readyz", PUBLIC),
    Row("metrics", "HHHHHHHH"),  # without the token
    # The admin's own
    Row("admin:index", STAFF),
    Row("admin:login", PUBLIC),
    Row("admin:logout", PUBLIC, method="post"),
    Row("admin:password_change", STAFF),
    Row("admin:password_change_done", STAFF),
    Row("admin:jsi18n", STAFF),
    Row("admin:auth_user_password_change", SUPERUSER, lambda world: {"id": User.objects.all()[0].pk}),
    Row("admin:search", STAFF),
    Row("admin:app_list", STAFF, lambda world: {"app_label": "studies"}),
    Row(
        "admin:autocomplete",
        STAFF,
        data={"app_label": "studies", "model_name": "condition", "field_name": "layer", "term": ""},
    ),
]

# Addresses without a name that reverse() could fill.
UNNAMED = {"": PUBLIC, "admin/(?P<url>.*)$": NOT_THERE}


def admin_rows() -> Iterator[Row]:
    """The pages of every model, by what its admin says of itself."""
    for model, page in admin.site._registry.items():
        rows = by_kind(page)
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"

        def first(world: World, model: Any = model) -> dict[str, Any]:
            return {"object_id": row_of(model, world).pk}

        yield Row(f"{name}_changelist", rows["list"])
        yield Row(f"{name}_add", rows["add"])
        yield Row(f"{name}_change", rows["view"], first)
        yield Row(f"{name}_change", rows["change"], first, method="post", data={})
        yield Row(f"{name}_delete", rows["delete"], first)
        yield Row(f"{name}_delete", rows["delete"], first, method="post", data={"post": "yes"})
        yield Row(f"{name}_history", rows["view"] if isinstance(page, SharedAdmin) else rows["own"], first)


def row_of(model: Any, world: World) -> Any:
    own = {Study: world.study, type(world.job): world.job}
    if model in own:
        return own[model]
    if hasattr(model.objects, "visible_to"):
        return model.objects.visible_to(world.owner)[0]
    return AuditEvent.objects.get(action="test") if model is AuditEvent else model.objects.all()[0]


def by_kind(page: Any) -> dict[str, str]:
    model = page.model
    shared = hasattr(model._default_manager.get_queryset(), "visible_to")
    view = VIEWER if shared else STAFF
    if isinstance(page, SharedAdmin):
        return {"list": STAFF, "add": STAFF, "view": VIEWER, "change": EDITOR, "delete": OWNER}
    if isinstance(page, ReadOnlyAdmin):
        may_add = page.has_add_permission.__qualname__ != ReadOnlyAdmin.has_add_permission.__qualname__
        add = STAFF if may_add else NOBODY
        return {"list": STAFF, "add": add, "view": view, "change": NOBODY, "delete": NOBODY, "own": view}
    if isinstance(page, RoleAdmin):  # exclusions: taken back and made anew
        return {
            "list": STAFF,
            "add": STAFF,
            "view": VIEWER,
            "change": NOBODY,
            "delete": ANALYST,
            "own": VIEWER,
        }
    if model is ApiToken:  # one's own
        return {"list": STAFF, "add": STAFF, "view": OWN, "change": NOBODY, "delete": SUPERUSER, "own": OWN}
    read = dict.fromkeys(["list", "view", "own"], SUPERUSER)
    written = NOBODY if model is AuditEvent else SUPERUSER
    deleted = NOBODY if model is User else written  # who acted stays named
    return {**read, "add": written, "change": written, "delete": deleted}


def met(answer: Any) -> str:
    status, to = answer.status_code, answer.headers.get("Location", "")
    assert status < 500 or answer.wsgi_request.path == "/readyz", answer
    if status == 302 and to.startswith("/admin/login/"):
        return "L"
    if status == 404 or any("doesn’t exist" in str(one) for one in get_messages(answer.wsgi_request)):
        return "H"
    return "R" if status in (401, 403) else "A"


@pytest.fixture
def world(settings: Any) -> World:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.PROLIFIC_WEBHOOK_SECRET = "a secret"
    return World()


def test_everybody_meets_what_their_role_says(world: World, subtests: pytest.Subtests) -> None:
    rows = [*ROWS, *admin_rows()]
    for row in rows:
        path = row.path(world)
        for person, expected in zip(PEOPLE, row.expected, strict=True):
            with subtests.test(f"{row.method} {row.name}: {person}"):
                assert ask(world.people[person], row, path) == expected, path


def ask(client: Client, row: Row, path: str) -> str:
    """The request leaves nothing behind: the next person meets the same world."""
    cookies = copy(client.cookies)
    with transaction.atomic():
        answer = getattr(client, row.method)(path, row.data)
        outcome = met(answer)
        transaction.set_rollback(True)
    client.cookies = cookies
    return outcome


def test_every_address_has_a_row() -> None:
    covered = {row.name for row in [*ROWS, *admin_rows()]}
    addresses = {(name, route) for name, route in every_address(get_resolver().url_patterns)}
    missing = {route for name, route in addresses if name not in covered and route not in UNNAMED}
    assert {route for route in missing if not route.endswith("/<path:object_id>/")} == set()


def test_old_addresses_lead_to_a_rows_page_and_say_nothing_of_it(world: World) -> None:
    """Django redirects what lacks the last word, whoever asks and whether there is such a row or not."""
    for key in (world.study.pk, "no-such-row"):
        assert met(world.people["anonymous"].get(f"/admin/studies/study/{key}/")) == "L"
        answer = world.people["stranger"].get(f"/admin/studies/study/{key}/")
        assert answer.headers["Location"] == f"/admin/studies/study/{key}/change/"


def every_address(patterns: Any, prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from every_address(pattern.url_patterns, route, inner)
        else:
            yield f"{space}{pattern.name}", route


def test_addresses_without_a_name(world: World) -> None:
    for person, expected in zip(PEOPLE, UNNAMED["admin/(?P<url>.*)$"], strict=True):
        assert met(world.people[person].get("/admin/no/such/page/")) == expected
        assert world.people[person].get("/").status_code == 302
