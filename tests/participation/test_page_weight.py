"""What a participant's browser loads before the first image."""

import gzip
from pathlib import Path

import pytest
from django.test import Client

from survey_site.stack.options import BASE_DIR
from tests.builders import opened_study

pytestmark = pytest.mark.django_db

BUILT = Path(BASE_DIR) / "frontend" / "dist" / "survey"
MOST_BYTES = 150_000


def test_the_whole_page_weighs_at_most_150_kb_compressed() -> None:
    opened_study(n=2)
    page = Client().get("/s/faces/").content
    files = {path.name: path.read_bytes() for path in BUILT.iterdir()}
    assert sorted(files) == ["survey.css", "survey.js"], "cd frontend && npm run build"
    weights = {name: len(gzip.compress(data)) for name, data in {"page": page, **files}.items()}
    assert sum(weights.values()) <= MOST_BYTES, weights


def test_the_page_names_no_address_but_its_own() -> None:
    opened_study(n=2)
    text = Client().get("/s/faces/").content.decode()
    assert "//" not in text.replace("<!DOCTYPE html>", "")
