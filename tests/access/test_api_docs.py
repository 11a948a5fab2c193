"""The API's description: for those who may use it, from this site alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from survey_site.access.rest.errors import CODES
from survey_site.stack.options import BASE_DIR
from tests.access.caller import token_of
from tests.builders import logged_in, researcher

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/", "/api/docs/?script="])
def test_the_description_is_for_researchers(path: str) -> None:
    assert Client().get(path).status_code == 401
    bea = researcher()
    assert logged_in(bea).get(path).status_code == 200
    assert Client().get(path, headers={"Authorization": f"Bearer {token_of(bea)}"}).status_code == 200


def test_the_page_asks_nobody_else_and_runs_no_inline_script() -> None:
    page = logged_in(researcher()).get("/api/docs/")
    text = page.content.decode()
    assert not re.search(r"https?://|//cdn", text)
    assert not re.search(r"<script(?![^>]*src=)", text)
    assert not re.search(r"<style|\sstyle=", text)
    assert "script-src 'self';" in page["Content-Security-Policy"]


def test_every_address_below_api_v1_is_described() -> None:
    described = yaml.safe_load(logged_in(researcher()).get("/api/schema/").content)["paths"]
    found = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path) for path in addresses(get_resolver().url_patterns)}
    assert {f"/{path}" for path in found if path.startswith("api/v1/")} - {"/api/v1/"} == {
        path for path in described if path.startswith("/api/v1/")
    }


def addresses(patterns: list[Any], before: str = "") -> list[str]:
    found = []
    for one in patterns:
        here = before + str(one.pattern)
        if isinstance(one, URLResolver):
            found += addresses(one.url_patterns, here)
        elif isinstance(one, URLPattern):
            found.append(here)
    return found


def test_the_description_is_made_without_a_warning(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_no_code_means_two_statuses() -> None:
    assert {code.status for code in CODES.values()} == {
        *(400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 428, 429, 503)
    }


def test_the_table_of_codes_in_the_docs_is_the_one_in_the_code() -> None:
    told = (BASE_DIR / "docs" / "api.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", told, re.MULTILINE))
    assert rows == {name: str(code.status) for name, code in CODES.items()}
