"""One study's report as a file: HTML that needs nothing else, and PDF."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.template.loader import render_to_string

from survey_site.analysis.document import data_uri, document_of
from survey_site.analysis.models import StudyResults

HERE = Path(__file__).parent
STYLE = HERE / "static" / "analysis" / "results.css"
LAYOUT = HERE / "typst" / "report.typ"


def report_html(results: StudyResults) -> str:
    """Text, figures and images in one file: nothing is fetched when it is opened."""
    document = document_of(results, source=data_uri)
    return render_to_string(
        "analysis/report.html",
        {**document, "study": results.study, "style": STYLE.read_text(), "open_details": True},
    )


def report_pdf(results: StudyResults) -> bytes:
    """The same as PDF/UA-1: tagged, with text alternatives, figures as vectors."""
    import typst  # 30 MB of compiled code: only when a PDF is asked for

    with TemporaryDirectory() as folder:
        root = Path(folder)
        document = _plain(document_of(results, source=data_uri), results, root)
        (root / "document.json").write_text(json.dumps(document))
        (root / "report.typ").write_bytes(LAYOUT.read_bytes())
        return typst.compile(root / "report.typ", root=root, pdf_standards=["ua-1"])


def _plain(document: dict[str, Any], results: StudyResults, root: Path) -> dict[str, Any]:
    """The document as JSON for the layout, images and figures as files beside it."""
    for name, figure in document.get("figures", {}).items():
        (root / f"{name}.svg").write_text(figure.svg, encoding="utf-8")
    rows = ("rows", "interval_names", "measures", "warnings", "notes", "constants", "n_tested",
            "without_answers", "rules", "left_out", "comparisons", "n_comparisons", "catch")  # fmt: skip
    report = document["report"]
    return {
        **{name: document[name] for name in rows},
        "study": {"name": results.study.name, "slug": results.study.slug},
        "mode": results.mode,
        "read_at": results.read_at.strftime("%d %B %Y, %H:%M UTC") if results.read_at else "",
        "sessions": report["sessions"],
        "unfinished": report["unfinished"],
        "methods": report["methods"],
        "retest": report["retest"],
        "margin": report["settings"]["margin"],
        "scopes": report["scopes"],
        "figures": {
            name: {"title": figure.title, "caption": figure.caption, "description": figure.description}
            for name, figure in document["figures"].items()
        },
        "factor_figures": [figure.name for figure in document["factor_figures"]],
        "examples": [
            _example_group(group, root, number) for number, group in enumerate(document["examples"])
        ],
    }


def _example_group(group: dict[str, Any], root: Path, number: int) -> dict[str, Any]:
    trials = []
    for place, trial in enumerate(group["trials"]):
        pictures = []
        for which, picture in enumerate(trial["pictures"]):
            file = ""
            if picture["src"]:
                head, _, data = picture["src"].partition(",")
                kind = head.removeprefix("data:image/").removesuffix(";base64")
                file = f"example-{number}-{place}-{which}.{kind}"
                (root / file).write_bytes(b64decode(data))
            pictures.append({"role": picture["role"], "text": picture["text"], "file": file})
        trials.append({**trial, "pictures": pictures})
    return {"title": group["title"], "trials": trials}
