"""The report as HTML and PDF, from what is stored."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from PIL import Image

from survey_site.analysis.models import StudyResults
from survey_site.analysis.report_files import report_html, report_pdf
from survey_site.analysis.results import compute_results
from survey_site.stimuli.models import Network, StoredImage
from tests.analysis.answered_study import AnsweredStudy

pytestmark = pytest.mark.django_db


@pytest.fixture
def results(answered: AnsweredStudy, settings: object, tmp_path: Path) -> StudyResults:
    settings.MEDIA_ROOT = str(tmp_path)  # type: ignore[attr-defined]
    picture = io.BytesIO()
    Image.new("RGB", (96, 96), "teal").save(picture, "PNG")
    for image in StoredImage.objects.all():
        image.file.save(f"{image.sha256}.png", ContentFile(picture.getvalue()))
    Network.objects.update(name='Net #1 "x" $y$ [z] <b>')
    answered.new_version(rules='[{"rule": "catch_rate"}, {"rule": "unfinished"}]')
    answered.answer(n=6)
    return compute_results(answered.study, "real")


def test_the_html_carries_its_images_and_escapes_names(results: StudyResults) -> None:
    text = report_html(results)
    assert text.count('<img src="data:image/png;base64,') >= 6
    assert "Net #1 &quot;x&quot; $y$ [z] &lt;b&gt;" in text
    assert "<b>" not in text
    assert "fewer than 75% of the catch trials right" in text


@pytest.mark.parametrize(
    ("normalised", "said"),
    [
        ({"value": 0.5, "low": 0.25, "high": 1.375, "note": ""}, "<td>0.50 (0.25 – 1.38)</td>"),
        (
            {"value": 1, "low": None, "high": None, "note": "no interval"},
            '<td>1.00 <abbr title="no interval">*</abbr></td>',
        ),
        ({"undefined": "the ceiling is not clearly above chance"}, "<td>undefined</td>"),
    ],
)
def test_a_normalised_score_has_its_interval_or_the_reason_why_there_is_none(
    results: StudyResults, normalised: dict[str, Any], said: str
) -> None:
    for score in results.report["scores"]:
        score["normalised"] = {"by_lower_ceiling": normalised}
    text = report_html(results)
    assert text.count(said) == 2
    assert text.count(": the ceiling is not clearly above chance.</li>") == 2 * ("undefined" in normalised)
    assert report_pdf(results).startswith(b"%PDF-")


def test_what_all_of_it_rests_on_is_said_first(results: StudyResults) -> None:
    assert "<li>1 pair of conditions with unequal chance was not compared.</li>" in report_html(results)


def test_the_pdf_is_tagged_and_has_pages(results: StudyResults) -> None:
    data = report_pdf(results)
    assert data.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in data
    assert b"pdfuaid" in data
    assert b"/Alt" in data or b"/ObjStm" in data
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") + data.count(b"/Type/Page") > 1


def test_both_say_when_nothing_was_answered(answered: AnsweredStudy) -> None:
    [session] = answered.answer(n=1)
    session.presentations.all().delete()
    results = compute_results(answered.study, "real")
    assert "Nothing was answered yet." in report_html(results)
    assert report_pdf(results).startswith(b"%PDF-")


def test_the_command_writes_both(results: StudyResults, tmp_path: Path) -> None:
    html, pdf = tmp_path / "report.html", tmp_path / "report.pdf"
    call_command("report", "faces", "--html", str(html), "--pdf", str(pdf), stdout=io.StringIO())
    assert "fewer than 75% of the catch trials right" in html.read_text()
    assert pdf.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nope", "--html", "x"], "no study has the slug 'nope'; studies: faces"),
        (["faces"], "nothing to write: name a file with --html, --pdf or both"),
        (["faces", "--html", "/nowhere/x.html"], "/nowhere/x.html cannot be written: No such file"),
    ],
)
def test_what_cannot_be_written_is_named(answered: AnsweredStudy, args: list[str], message: str) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("report", *args)
    assert message in str(refused.value)
