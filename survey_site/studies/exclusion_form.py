"""Exclusion rules as fields of a study's form: a switch for each rule, and its numbers beside it."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldBooleanSwitchWidget,
)

from survey_site.studies.exclusion_rules import RULES, ExclusionError, Researcher, Rule
from survey_site.studies.exclusion_services import set_rules
from survey_site.studies.models import Study

#: By rule: what its switch says.
SWITCHES = {
    "catch_rate": "Too few catch trials right",
    "too_fast": "Too many answers too fast",
    "straight_lining": "The same place many times in a row",
    "side_bias": "Nearly always one side",
    "incomplete": "Too few of the main trials answered",
    "unfinished": "Did not come to the end",
    "focus_loss": "Left the page often during trials",
}
#: By rule and setting: label of the number.
NUMBERS = {
    ("catch_rate", "minimum"): "Least share right (0 to 1)",
    ("too_fast", "minimum_ms"): "Too fast is below (ms)",
    ("too_fast", "share"): "Most answers that may be (0 to 1)",
    ("straight_lining", "longest"): "From how many in a row",
    ("side_bias", "maximum"): "Most answers on one side (0 to 1)",
    ("side_bias", "at_least"): "From how many answers on",
    ("incomplete", "minimum"): "Least share answered (0 to 1)",
    ("focus_loss", "maximum"): "Most times allowed",
}
CHOOSABLE = {name: kind for name, kind in RULES.items() if name != Researcher.name}


class ExclusionForm(forms.ModelForm):
    """A study's form with its exclusion rules, in the order in which they are counted."""

    class Meta:
        model = Study
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets say which

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = self.instance.exclusion_rules.all() if self.instance.pk else []
        for rule in (row.as_rule() for row in rows):
            self.initial[switch(rule.name)] = True
            self.initial.update({number(rule.name, key): value for key, value in asdict(rule).items()})

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        self.rules: list[Rule] = []
        for name in CHOOSABLE:
            if cleaned.get(switch(name)):
                self._add_rule(name, cleaned)
        return cleaned

    def _add_rule(self, name: str, cleaned: dict[str, Any]) -> None:
        """An empty number is the rule's own default."""
        keys = [setting.name for setting in fields(CHOOSABLE[name])]
        given = {key: value for key in keys if (value := cleaned.get(number(name, key))) is not None}
        try:
            self.rules.append(CHOOSABLE[name](**given))
        except ExclusionError as error:
            self.add_error(switch(name), str(error))

    def save_rules(self) -> None:
        """After the study itself is saved."""
        if [row.as_rule() for row in self.instance.exclusion_rules.all()] != self.rules:
            set_rules(self.instance, self.rules)


def switch(rule: str) -> str:
    return f"exclude_{rule}"


def number(rule: str, setting: str) -> str:
    return f"exclude_{rule}_{setting}"


def exclusion_rows() -> list[tuple[str, ...]]:
    """The fields, a rule a row."""
    return [
        (switch(name), *(number(name, setting.name) for setting in fields(kind)))
        for name, kind in CHOOSABLE.items()
    ]


def _fields() -> dict[str, forms.Field]:
    found: dict[str, forms.Field] = {}
    for name, kind in CHOOSABLE.items():
        found[switch(name)] = forms.BooleanField(
            label=SWITCHES[name], required=False, widget=UnfoldBooleanSwitchWidget
        )
        for setting in fields(kind):
            whole = isinstance(setting.default, int)
            field = forms.IntegerField if whole else forms.FloatField
            widget = UnfoldAdminIntegerFieldWidget if whole else UnfoldAdminDecimalFieldWidget
            found[number(name, setting.name)] = field(
                label=NUMBERS[name, setting.name], initial=setting.default, required=False, widget=widget
            )
    return found


ExclusionForm.declared_fields.update(_fields())
ExclusionForm.base_fields.update(_fields())
