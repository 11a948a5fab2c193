"""Schemathesis asks every operation of the API for what its description allows and forbids.

No answer may be a server error, or differ from the description in status, content type, headers or body. Each
request is taken back, so that all meet the same site.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from survey_site.access.models import Scope
from survey_site.access.tokens import make_token
from survey_site.studies.models import Study
from survey_site.studies.study_document import study_document
from tests.access.api_rows import bot_run, session, written_export
from tests.access.test_matrix import World
from tests.builders import draft_study

pytestmark = pytest.mark.django_db

#: Requests an operation, half with input that is allowed and half with input that is not.
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "12"))
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@contextmanager
def one_connection() -> Iterator[None]:
    """Requests share the test's connection, as Django's own test client has it."""
    ends = (request_started, request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    try:
        yield
    finally:
        for end in ends:
            end.connect(close_old_connections)


@pytest.fixture
def site(settings: Any) -> dict[str, Any]:
    """What addresses are filled with beside what is not there: an open study, a draft, and their rows."""
    settings.API_REQUESTS_PER_MINUTE = 10**9
    world = World()
    draft = draft_study("draft-net", slug="draft")
    superuser = draft.created_by or type(world.owner).objects.get(is_superuser=True)
    _, token = make_token(user=superuser, name="schemathesis", scopes=Scope.values)
    condition = draft.conditions.get()
    return {
        "token": token,
        "description": Client()
        .get("/api/schema/?format=json", headers={"Authorization": f"Bearer {token}"})
        .json(),
        "slugs": {
            "networks": ["net", "draft-net"],
            "image-sets": ["net-photos"],
            "studies": ["draft", "faces"],
        },
        "parameters": {
            "username": ["viewer"],
            "condition": [condition.slug, "new"],
            "language": ["en", "de"],
            "label": ["cat"],
            "number": [1],
            "kind": ["iri", "json", "yaml", "responses.csv", "sessions.csv"],
            "sha256": [condition.recipe.sha256],
            "job_id": [world.job.pk],
            "iri_id": [str(world.job.iris.all()[0].pk)],
            "session_id": [str(session(world)["session_id"])],
            "run_id": [bot_run(world)["run_id"]],
            "export_id": [str(written_export(world)["export_id"])],
            "name": ["iri@here"],
        },
        "condition": study_document(Study.objects.get(slug="draft"))["conditions"][condition.slug],
    }


def with_rows(description: dict[str, Any], site: dict[str, Any]) -> dict[str, Any]:
    """The description with addresses that lead somewhere, and words that name what is there."""
    for path, operations in description["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                if parameter["in"] == "path":
                    found = site["slugs"][path.split("/")[3]] if name == "slug" else site["parameters"][name]
                    schema = parameter["schema"]
                    missing = {"integer": 10**12, "string": "nowhere"}[schema["type"]]
                    if schema.get("format") == "uuid":
                        missing = "00000000-0000-4000-8000-000000000000"
                    parameter["schema"] = {"type": schema["type"], "enum": [*found, *found, missing]}
                elif name == "If-Match":
                    parameter["schema"] = {"type": "string", "enum": ["*", "*", '"1;x"']}
    words = {**{name: site["condition"][name] for name in ("network", "layer", "recipe", "image_set")}}
    for kind, component in description["components"]["schemas"].items():
        for name, value in words.items() if kind.endswith("Request") else ():
            if component.get("properties", {}).get(name, {}).get("type") == "string":
                component["properties"][name] = {"type": "string", "enum": [value, value, "other"]}
    return description


def test_no_answer_is_an_error_or_undescribed(site: dict[str, Any], subtests: pytest.Subtests) -> None:
    description = with_rows(site["description"], site)
    schema = schemathesis.openapi.from_dict(description)
    schema.app = get_wsgi_application()
    operations: list[Any] = [cast(Any, result).ok() for result in schema.get_all_operations()]
    assert len(operations) > 80
    for operation in operations:
        with subtests.test(operation.label), one_connection():
            for mode in GenerationMode:
                ask(operation, mode, site["token"])


def ask(operation: Any, mode: GenerationMode, token: str) -> None:
    """EXAMPLES / 2 requests, always the same ones."""

    @seed(0)
    @hypothesis_settings(
        max_examples=EXAMPLES // 2,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        with transaction.atomic():
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
            transaction.set_rollback(True)

    run()
