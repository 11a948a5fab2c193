"""Psych-DS data sets and images."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile

import pytest
from django.core.files.base import ContentFile

from survey_site.access.roles import ExportLevel
from survey_site.analysis.exporting.selection import Selection
from survey_site.stimuli.models import StoredImage
from survey_site.studies.models import StudyVersion
from tests.analysis.answered_study import AnsweredStudy
from tests.analysis.exporting.awkward import make_awkward
from tests.analysis.exporting.reading import archive, exported, table
from tests.builders import opened_study

DATA_FILE = re.compile(r"data/([a-z]+-[a-zA-Z0-9]+_)+data\.csv")


@pytest.fixture
def data_set(answered: AnsweredStudy) -> zipfile.ZipFile:
    answered.study.slug = "two-faces_2"
    answered.study.save()
    answered.answer(n=4)
    make_awkward(answered)
    return archive("psych-ds.zip", Selection(answered.study))


def test_a_data_set_has_the_files_that_psych_ds_asks_for(data_set: zipfile.ZipFile) -> None:
    names = data_set.namelist()
    assert len(set(names)) == len(names)
    assert {name for name in names if not name.startswith("data/")} == {
        "dataset_description.json",
        "README.md",
        "CHANGES.md",
        "documentation/data-dictionary.md",
        "materials/study_version_1.json",
        "materials/stimuli.csv",
    }
    assert all(DATA_FILE.fullmatch(name) for name in names if name.startswith("data/"))
    assert "data/study-twofaces2_task-mixed_data.csv" in names


def test_every_column_is_described_and_everything_described_is_a_column(data_set: zipfile.ZipFile) -> None:
    described = json.loads(data_set.read("dataset_description.json"))
    assert (described["@context"], described["@type"]) == ("https://schema.org", "Dataset")
    assert described["name"]
    assert described["description"]
    variables = [variable["name"] for variable in described["variableMeasured"]]
    assert len(set(variables)) == len(variables)
    assert all(
        variable["@type"] == "PropertyValue" and variable["description"]
        for variable in described["variableMeasured"]
    )
    columns = set()
    for name in data_set.namelist():
        if name.startswith("data/"):
            header, *rows = csv.reader(io.StringIO(data_set.read(name).decode(), newline=""), strict=True)
            assert {len(row) for row in rows} <= {len(header)}
            columns |= set(header)
    assert columns == set(variables)


def test_the_data_are_those_of_the_single_files(answered: AnsweredStudy, data_set: zipfile.ZipFile) -> None:
    selection = Selection(answered.study)
    stem = "data/study-twofaces2_task-mixed"
    assert data_set.read(f"{stem}_data.csv") == exported("responses.csv", selection)
    for about in ("sessions", "questionnaire", "conditions", "judgements"):
        assert data_set.read(f"{stem}_description-{about}_data.csv") == exported(f"{about}.csv", selection)
    assert data_set.read("materials/stimuli.csv") == exported("stimuli.csv", selection)


def hashed(version: dict[str, object]) -> str:
    content = {name: version[name] for name in ("settings", "texts", "trials")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.django_db
def test_the_frozen_version_gives_its_hash_and_keeps_codes_from_those_who_may_not_see_them() -> None:
    study = opened_study(n=3, completion_code="SECRET", n_catch=1)
    frozen = StudyVersion.objects.get()
    versions = {}
    for level in (ExportLevel.FULL, ExportLevel.DEIDENTIFIED):
        read = archive("psych-ds.zip", Selection(study, level=level))
        text = read.read("materials/study_version_1.json").decode()
        assert ("SECRET" in text) == (level == ExportLevel.FULL)
        versions[level] = json.loads(text)
    full, others = versions[ExportLevel.FULL], versions[ExportLevel.DEIDENTIFIED]
    assert full["sha256"] == frozen.sha256 == hashed(full)
    assert full["left_out"] == []
    assert "completion_code" in others["left_out"]
    assert hashed(others) != frozen.sha256
    assert f"sha256 `{frozen.sha256}`" in read.read("CHANGES.md").decode()
    assert "data/study-faces_task-2afc_data.csv" in read.namelist()


@pytest.mark.django_db
def test_images_are_stored_once_with_a_manifest_that_names_each() -> None:
    study = opened_study(n=3)
    images = archive("images.zip", Selection(study))
    assert all(info.compress_type == zipfile.ZIP_STORED for info in images.infolist())
    rows = table(images.read("stimuli.csv"))
    assert {row["role"] for row in rows} == {"reference", "option"}
    for row in rows:
        assert hashlib.sha256(images.read(row["file"])).hexdigest() == row["image_sha256"]
    about = [row for row in rows if row["iri_id"]]
    assert about
    for row in about:
        assert (row["network"], row["layer"], row["passed"]) == ("net", "pool", "1")
        assert row["recipe_sha256"]
        assert row["rng_seed"]
        assert f"images/{row['start_sha256']}.png" in images.namelist()
        assert f"images/{row['target_sha256']}.png" in images.namelist()
    assert len(images.namelist()) == len(set(images.namelist()))


def test_an_image_that_is_not_there_is_an_error_not_a_smaller_file(answered: AnsweredStudy) -> None:
    for image in StoredImage.objects.all():
        image.file.save(f"{image.sha256}.png", ContentFile(b"png"), save=True)
    lost = StoredImage.objects.get(sha256="start")
    lost.file.storage.delete(str(lost.file.name))
    with pytest.raises(FileNotFoundError, match="start"):
        exported("images.zip", Selection(answered.study))
