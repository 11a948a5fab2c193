"""The study builder's forms: the plan, how picked conditions are shown, and what is assumed of people."""

from __future__ import annotations

from typing import Any

from django import forms

from survey_site.analysis.sample_size import PilotEffects
from survey_site.studies.models import Condition, FoilRule, Shows, Study

PLAN = (
    "trials_per_participant",
    "n_catch",
    "n_practice",
    "practice_pass",
    "practice_rounds",
    "n_repeats",
    "repeat_distance",
    "break_every",
    "fixation_ms",
    "time_limit_ms",
    "minutes",
    "quota",
)
MOST_PARTICIPANTS = 2000

SHOWS = [
    (Shows.IRI, "The IRI"),
    (Shows.TARGET, "The target: a control"),
    (Shows.START, "The start image: a control"),
]
FOILS = [(FoilRule.START, "The start image"), (FoilRule.NATURAL, "Another target")]


class PlanForm(forms.ModelForm):
    class Meta:
        model = Study
        fields = PLAN


class ShownForm(forms.ModelForm):
    """For all conditions that are added together."""

    class Meta:
        model = Condition
        fields = ("format", "n_options", "foil_rule", "shows", "include_failed")
        labels = {
            "format": "Format",
            "n_options": "Options",
            "include_failed": "Show IRIs that failed their quality check, too",
        }

    shows = forms.ChoiceField(label="Shown as reference", choices=SHOWS)
    foil_rule = forms.ChoiceField(label="Foil", choices=FOILS)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="shown")

    def options(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class AssumedForm(forms.Form):
    """What the expected intervals are simulated from."""

    participants = forms.IntegerField(min_value=2, max_value=MOST_PARTICIPANTS, initial=30)
    share = forms.FloatField(min_value=0.02, max_value=0.98, initial=0.75, label="True score")
    participant_sd = forms.FloatField(
        min_value=0, max_value=5, initial=0.5, label="People differ by (SD, logit)"
    )
    item_sd = forms.FloatField(min_value=0, max_value=5, initial=0.8, label="Pictures differ by (SD, logit)")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="assumed")

    def effects(self) -> PilotEffects:
        found = self.cleaned_data
        return PilotEffects(
            share=found["share"], participant_sd=found["participant_sd"], item_sd=found["item_sd"]
        )
