"""The form around the live page's table: an action, the sessions, and what the action asks beside."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms

from survey_site.access.roles import may
from survey_site.analysis.session_flags import DEFAULT_FLAGS
from survey_site.console.live_actions import ACTIONS
from survey_site.console.live_query import CHOICES
from survey_site.console.live_table import FLAG_NAMES
from survey_site.participation.recruitment.prolific import REJECTION_CATEGORIES
from survey_site.studies.models import Study

MOST_SESSIONS = max(int(per) for per in CHOICES["per"])


class SessionIds(forms.Field):
    """Checked boxes, each a session's id."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[uuid.UUID]:
        given = list(dict.fromkeys(value or []))
        if not given:
            raise forms.ValidationError("Select sessions first.")
        if len(given) > MOST_SESSIONS:
            raise forms.ValidationError(f"{len(given)} sessions are selected; allowed: {MOST_SESSIONS}.")
        try:
            return [uuid.UUID(key) for key in given]
        except ValueError:
            raise forms.ValidationError("A selected session has no id that could be one.") from None


class ActionForm(forms.Form):
    action = forms.ChoiceField(choices=[(name, action.label) for name, action in ACTIONS.items()])
    sessions = SessionIds()
    reason = forms.CharField(required=False, max_length=1000, label="Reason")
    amount = forms.DecimalField(required=False, max_digits=8, decimal_places=2, label="Amount")
    category = forms.ChoiceField(
        required=False, choices=list(REJECTION_CATEGORIES.items()), label="Category (for Prolific)"
    )
    rule = forms.ChoiceField(
        required=False,
        choices=[(rule.name, FLAG_NAMES[rule.name].capitalize()) for rule in DEFAULT_FLAGS],
        label="Rule",
    )
    key = forms.UUIDField(widget=forms.HiddenInput)
    back = forms.CharField(required=False, widget=forms.HiddenInput)


def offered_actions(study: Study, user: Any) -> list[dict[str, Any]]:
    """What this person may do here: name, label, and the fields that it asks for."""
    return [
        {"name": name, "label": action.label, "needs": " ".join(action.needs)}
        for name, action in ACTIONS.items()
        if may(user, action.role, study)
    ]
