"""The form of the export page: which file, of which rows, at which level."""

from __future__ import annotations

from typing import Any

from django import forms

from survey_site.access.roles import ExportLevel
from survey_site.analysis.exporting.kinds import KINDS
from survey_site.analysis.exporting.selection import EXCLUSIONS, MARKED, ExportRefused, Filters, Selection
from survey_site.participation.models import Mode
from survey_site.studies.models import Study

LEVELS = {
    ExportLevel.DEIDENTIFIED: "De-identified: participants have pseudonyms",
    ExportLevel.FULL: "Full: with the recruiter's ids, which lead to persons",
}
FIRST = next(iter(KINDS))


class Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ExportForm(forms.Form):
    """Once it is valid, `selection` is what was chosen. Whether the person may have it is asked elsewhere."""

    kind = forms.ChoiceField(
        label="File",
        choices=[(kind.name, kind.title) for kind in KINDS.values()],
        widget=forms.RadioSelect,
        initial=FIRST,
    )
    mode = forms.ChoiceField(label="Sessions", choices=Mode.choices, initial=Mode.REAL)
    version = forms.ChoiceField(label="Version", required=False)
    exclusions = forms.ChoiceField(
        label="Sessions that a rule leaves out", choices=list(EXCLUSIONS.items()), initial=MARKED
    )
    since = forms.CharField(label="Begun on or after", required=False, widget=Day)
    until = forms.CharField(label="Begun on or before", required=False, widget=Day)
    level = forms.TypedChoiceField(
        label="Level",
        choices=[(level.value, text) for level, text in LEVELS.items()],
        coerce=lambda value: ExportLevel(int(value)),
        widget=forms.RadioSelect,
        initial=ExportLevel.DEIDENTIFIED.value,
    )
    in_background = forms.BooleanField(label="Write it in the background and keep it here", required=False)

    def __init__(self, *args: Any, study: Study, allowed: ExportLevel, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.study = study
        self.selection: Selection | None = None
        numbers = study.versions.order_by("-number").values_list("number", flat=True)
        self.fields["version"].choices = [  # type: ignore[attr-defined]
            ("", "All"),
            *((str(number), str(number)) for number in numbers),
        ]
        self.allowed = [(level.value, text) for level, text in LEVELS.items() if level <= allowed]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.selection = Selection(self.study, Filters.read(cleaned), cleaned["level"])
            except ExportRefused as refusal:
                self.add_error(None, str(refusal).capitalize())
        return cleaned
