"""The facts about a study's conditions."""

from __future__ import annotations

from statistics import median

from django.db.models import QuerySet

from survey_site.analysis.condition_columns import ConditionFacts
from survey_site.analysis.condition_labels import condition_labels
from survey_site.stimuli.models import IRIStatus
from survey_site.studies.models import Condition, Study, StudyVersion


def condition_facts(source: Study | StudyVersion) -> list[ConditionFacts]:
    """The facts about the conditions of a study, or of those that one version asks about.

    By network and depth, so that a reader finds the layers of a network in their order.
    """
    conditions = sorted(_conditions(source), key=_place)
    labels = condition_labels(conditions)
    return [_condition_facts(condition, labels[condition.slug]) for condition in conditions]


def _conditions(source: Study | StudyVersion) -> QuerySet[Condition]:
    conditions = Condition.objects.with_pairs().order_by("slug")
    if isinstance(source, StudyVersion):
        return conditions.filter(trials__version=source).distinct()
    return conditions.filter(study=source)


def _place(condition: Condition) -> tuple[str, int, str]:
    return condition.layer.network.name, condition.layer.depth, condition.slug


def _condition_facts(condition: Condition, label: str) -> ConditionFacts:
    network, layer = condition.layer.network, condition.layer
    finished = condition.iris().filter(status=IRIStatus.DONE)
    errors = [error for error in finished.values_list("relative_error", flat=True) if error is not None]
    return ConditionFacts(
        study=condition.study.slug,
        condition=condition.slug,
        label=label,
        shows=condition.shows,
        network=network.slug,
        network_name=network.name,
        architecture=network.architecture,
        family=network.family,
        is_residual=network.is_residual,
        training_loss=network.training_loss,
        augmentation=network.augmentation,
        training_set=network.training_set,
        epsilon=network.epsilon,
        is_control=network.is_control,
        weights_sha256=network.weights_sha256,
        layer=layer.name,
        layer_depth=layer.depth,
        layer_role=layer.role,
        recipe=condition.recipe.name,
        recipe_sha256=condition.recipe.sha256,
        image_set=condition.image_set.slug,
        iri_seed=condition.iri_seed,
        trial_format=condition.format,
        foil_rule=condition.foil_rule,
        n_options=condition.n_options,
        chance=condition.chance,
        n_iris=finished.count(),
        n_passed=finished.filter(passed=True).count(),
        median_relative_error=median(errors) if errors else None,
    )
