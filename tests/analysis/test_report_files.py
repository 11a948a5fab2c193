"""The report as HTML and PDF, from what is stored."""

import io
import re
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typst
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from PIL import Image

from survey_site.analysis.answers import AnswerTable
from survey_site.analysis.comparisons import compare_conditions
from survey_site.analysis.models import StudyResults
from survey_site.analysis.report_files import report_html, report_pdf
from survey_site.analysis.results import compute_results
from survey_site.stimuli.models import Network, StoredImage
from tests.analysis.answered_study import AnsweredStudy
from tests.analysis.test_scoring import study

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
            "<td>1.00<sup>&nbsp;[1]</sup></td>",
        ),
        ({"undefined": "the ceiling is not clearly above chance"}, "<td>undefined<sup>&nbsp;[1]</sup></td>"),
    ],
)
def test_a_normalised_score_has_its_interval_or_the_reason_why_there_is_none(
    results: StudyResults, normalised: dict[str, Any], said: str
) -> None:
    for score in results.report["scores"]:
        score["normalised"] = {"by_lower_ceiling": normalised}
        score["intervals"]["twoway"]["note"] = score["d_prime_note"] = ""
    text = report_html(results)
    assert text.count(said) == 2
    note = normalised.get("undefined") or normalised["note"]
    assert text.count(f"<li>{note}</li>") == bool(note)
    assert report_pdf(results).startswith(b"%PDF-")


def test_notes_are_on_paper_too(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbered under their table, in print and PDF: nothing hides behind a tooltip."""
    for score in results.report["scores"]:
        score["normalised"] = {"undefined": "why not $normalised$"}
        for name, interval in score["intervals"].items():
            interval["note"] = f"note on {name}"
    results.report["comparisons"] = [
        {**one, "note": "a note on [one] pair", "interval": None, "p_value": None, "p_holm": None}
        for one in difference_json()
    ]
    html = report_html(results)
    said = {"why not $normalised$", "note on twoway", "note on wilson", "a note on [one] pair"}
    said |= {"with 4 participants no permutation p is below 0.125"}
    for note in said:
        assert f"<li>{note}</li>" in html
    assert "<abbr" not in html
    pdf = text_of_pdf(results, monkeypatch)
    for note in said:
        assert squeezed(note) in pdf


def test_the_scope_of_comparisons_is_said_on_page_and_paper(
    results: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_spread = [{**one, "p_value": None, "p_holm": None} for one in difference_json()]
    results.report["comparisons"] = [*difference_json(), *without_spread]
    scopes = (
        "over participants and items: for other participants and other trials",
        "for exactly these trials",
    )
    html, pdf = squeezed(report_html(results)), text_of_pdf(results, monkeypatch)
    for scope in scopes:
        assert squeezed(scope) in html
        assert squeezed(scope) in pdf
    for text in (html, pdf):
        assert squeezed("of the same kind. p is adjusted") in text
        assert squeezed("over the 1 that have one, of 2 pairs") in text


def difference_json() -> list[dict[str, Any]]:
    """One difference between the study's two conditions, as a report holds it."""
    rows = study(4, 6, condition="first") + study(4, 6, condition="-second", seed=1)
    return [asdict(one) for one in compare_conditions(AnswerTable.from_rows(rows), margin=0.1)]


def text_of_pdf(results: StudyResults, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the PDF says, by the same layout compiled to HTML."""
    compiled, texts = typst.compile, []

    def also_as_html(path: Path, *, root: Path, pdf_standards: Any) -> bytes:
        texts.append(compiled(path, root=root, format="html").decode())
        return bytes(compiled(path, root=root, pdf_standards=pdf_standards))

    monkeypatch.setattr(typst, "compile", also_as_html)
    report_pdf(results)
    return squeezed(texts[0])


def squeezed(text: str) -> str:
    """Without white space and hyphens, which a layout puts where it likes."""
    return re.sub(r"[\s\xad-]+", "", unescape(text))


def test_what_all_of_it_rests_on_is_said_first(results: StudyResults) -> None:
    said = "1 pair of conditions whose numbers of options differ, and with them chance, was not compared."
    assert f"<li>{said}</li>" in report_html(results)


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
