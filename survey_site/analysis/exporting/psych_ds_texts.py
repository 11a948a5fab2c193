"""The prose of a Psych-DS data set."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone

from survey_site.analysis.exporting.selection import APPLIED, Selection
from survey_site.analysis.versions import versions

READING = """\
```python
import pandas

responses = pandas.read_csv("data/FILE", keep_default_na=False, na_values=[""], lineterminator="\\n")
```

```r
responses <- read.csv("data/FILE", na.strings = "", stringsAsFactors = FALSE)
```
"""


def description(selection: Selection) -> str:
    """One paragraph."""
    return (
        f"Answers to the study “{selection.study.name}”, which asks what images look like to people that a "
        "layer of a neural network cannot tell from a natural photograph. One row per answered reference of "
        f"a presentation; {selection.filters.mode} sessions{_filtered(selection)}."
    )


def _filtered(selection: Selection) -> str:
    filters = selection.filters
    said = [
        f"version {filters.version}" if filters.version else "",
        "those left out by exclusion rules are not in it" if filters.exclusions == APPLIED else "",
        f"begun on {filters.since} or later" if filters.since else "",
        f"begun on {filters.until} or earlier" if filters.until else "",
    ]
    return "".join(f", {one}" for one in said if one)


def readme(selection: Selection, specification: str, files: Mapping[str, str]) -> str:
    """What it is, how it was made, and how to read it; `files` are those in data/, the responses as ""."""
    contents = f"""\
# {selection.study.name}

{description(selection)}

Exported by IRISurvey {versions()["code"]} on {timezone.now():%Y-%m-%d at %H:%M} UTC in the form of \
{specification}, level: {selection.level.label}.

| file | what is in it |
|---|---|
| `{files[""]}` | one row per answer |
| `{files["sessions"]}` | one row per session, however far it came |
| `{files["questionnaire"]}` | answers to the questionnaire |
| `{files["conditions"]}` | what each condition is |
| `{files["judgements"]}` | what simulated observers chose |
| `materials/study_version_*.json` | settings, texts and trials as frozen, with their hash |
| `materials/stimuli.csv` | what every trial shows, and how each image was made |
| `documentation/data-dictionary.md` | every column |

An empty cell means that there is no value. Text that a spreadsheet would run as a formula carries an \
apostrophe before it.

"""
    return contents + READING.replace("data/FILE", files[""])


def changes(selection: Selection) -> str:
    """One entry per frozen version."""
    entries = [
        f"## Version {version.number}, {version.created_at:%Y-%m-%d}\n\n"
        f"Frozen with sha256 `{version.sha256}`.\n"
        for version in selection.versions()
    ]
    return "\n".join(["# Changes\n", *reversed(entries)])
