"""A study's rows as the design reads them, and what that comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from survey_site.studies import design, formats
from survey_site.studies.models import Condition, Shows, Study
from survey_site.studies.planned import ConditionPlan, Item


def session_plan(settings: Study | Mapping[str, Any]) -> design.SessionPlan:
    """The plan of one session, from a draft or from a version's frozen settings."""
    names = [field.name for field in fields(design.SessionPlan)]
    source = settings if isinstance(settings, Mapping) else vars(settings)
    return design.SessionPlan(**{name: source[name] for name in names})


def plan_conditions(study: Study) -> list[ConditionPlan]:
    """The study's conditions as the design wants them, from the IRIs that are finished now."""
    return [plan_condition(condition) for condition in study.conditions.with_pairs().order_by("slug")]


def plan_condition(condition: Condition) -> ConditionPlan:
    icons = condition.study.icons.values_list("label", "image__sha256")
    labels = condition.image_set.targets.exclude(label="").values_list("label", flat=True)
    return ConditionPlan(
        slug=condition.slug,
        format=condition.format,
        items=_items(condition),
        n_options=condition.n_options,
        foil_rule=condition.foil_rule,
        labels=tuple(sorted(set(labels))),
        icons=dict(icons),
    )


def _items(condition: Condition) -> tuple[Item, ...]:
    # No database id decides the order: a study file opens with the same hash elsewhere.
    rows = condition.usable_iris().order_by("target__name", "target__image__sha256", "pk")
    found = rows.values_list(
        "pk",
        "target__name",
        "target__label",
        "image__sha256",
        "target_resized__sha256",
        "start_image__sha256",
    )
    return tuple(
        Item(
            key=name,
            reference={Shows.IRI: iri, Shows.TARGET: target, Shows.START: start}[Shows(condition.shows)],
            target=target,
            start=start,
            label=label,
            iri=str(pk),
        )
        for pk, name, label, iri, target, start in found
    )


def planned_counts(study: Study) -> dict[str, int]:
    """Trials that opening now would make: main, catch and practice; what one person sees of the main ones,
    how many of those twice; and IRIs left over, which fill no group of a matching condition.
    """
    return counts_of(study, plan_conditions(study))


def counts_of(study: Study, conditions: Sequence[ConditionPlan]) -> dict[str, int]:
    """The same of any conditions; those that cannot be planned count for nothing."""
    plans = [plan for plan in conditions if formats.fault_of(plan) is None]
    main = sum(len(formats.main_trials(plan, seed=study.rng_seed)) for plan in plans)
    return {
        "main": main,
        "catch": study.n_catch if main else 0,
        "practice": study.n_practice if main else 0,
        "per_participant": min(study.trials_per_participant or main, main),
        "repeats": study.n_repeats if main else 0,
        "left_over": sum(formats.left_over(plan) for plan in plans),
    }
