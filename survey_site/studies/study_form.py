"""A study's form in the admin: its exclusion rules, the lock of an open study, and what others changed."""

from __future__ import annotations

from typing import Any

from django import forms

from survey_site.studies.exclusion_form import ExclusionForm
from survey_site.studies.locks import is_locked
from survey_site.studies.models import Study
from survey_site.studies.revisions import ChangedMeanwhile, lock_as_seen, stamp


class StudyForm(ExclusionForm):
    """Saves only onto what it was opened from, and of an open study only what may change."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["seen"] = stamp(self.instance)
        if is_locked(self.instance):
            for name, field in self.fields.items():
                field.disabled = name not in ("seen", *Study.EDITABLE_WHILE_OPEN)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance.pk:
            try:
                lock_as_seen(self.instance, cleaned.get("seen") or "")
            except ChangedMeanwhile as change:
                self.add_error(None, [*change.told, "Open the study again, and carry over what you typed."])
        return cleaned
