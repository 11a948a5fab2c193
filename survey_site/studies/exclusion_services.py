"""Choosing a study's exclusion rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from django.db import transaction

from survey_site.studies.exclusion_rules import ExclusionError, Researcher, Rule, refuse_twice
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import ExclusionRule, Study


@transaction.atomic
def set_rules(study: Study, rules: Sequence[Rule]) -> None:
    """Replace the study's rules, in this order. The next opening freezes them; earlier versions keep theirs.

    Raises ExclusionError for a rule that occurs twice and for the researcher's own decisions, StudyRefused
    while the study is open.
    """
    refuse_if_open(study)
    refuse_researcher(rules)
    refuse_twice(rules)
    study.exclusion_rules.all().delete()
    for position, rule in enumerate(rules):
        ExclusionRule.objects.create(study=study, name=rule.name, position=position, settings=asdict(rule))


def refuse_researcher(rules: Sequence[Rule]) -> None:
    """A researcher's own decisions are about sessions, so no study can have them before it opens."""
    if any(rule.name == Researcher.name for rule in rules):
        raise ExclusionError("the researcher's exclusions are made one by one, each with its reason")
