"""Changing a study's conditions and plan in one go, as the study builder does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from survey_site.access.models import User
from survey_site.access.services import record_event
from survey_site.stimuli.models import ImageSet, Layer, Recipe
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import Condition, Study
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.revisions import lock_as_seen
from survey_site.studies.services import add_condition, forget_preview


@dataclass(frozen=True)
class Pick:
    """What a condition is made of."""

    layer: Layer
    recipe: Recipe
    image_set: ImageSet
    iri_seed: int


def picks_of(user: User, wanted: Iterable[Mapping[str, int]]) -> list[Pick]:
    """Ids as picks. Raises StudyRefused for what does not exist or is not shared with `user`."""
    return [_pick(user, ids) for ids in wanted]


def _pick(user: User, ids: Mapping[str, int]) -> Pick:
    layer = Layer.objects.visible_to(user).filter(pk=ids["layer_id"]).select_related("network").first()
    image_set = ImageSet.objects.visible_to(user).filter(pk=ids["image_set_id"]).first()
    recipe = Recipe.objects.filter(pk=ids["recipe_id"]).first()
    if layer is None or image_set is None or recipe is None:
        raise StudyRefused("a picked condition's network, recipe or image set is gone or not shared with you")
    return Pick(layer, recipe, image_set, ids["iri_seed"])


def planned_condition(study: Study, pick: Pick, options: Mapping[str, Any]) -> Condition:
    """The condition as it would be, not saved."""
    return Condition(
        study=study,
        slug=f"{pick.layer} · {pick.recipe}",
        layer=pick.layer,
        recipe=pick.recipe,
        image_set=pick.image_set,
        iri_seed=pick.iri_seed,
        **options,
    )


@transaction.atomic
def change_design(
    *,
    study: Study,
    seen: str,
    plan: Mapping[str, Any],
    picks: Sequence[Pick] = (),
    options: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    by: User | None = None,
) -> list[Condition]:
    """Save the plan's settings, remove conditions by slug and add one for every pick; returns those added.

    Nothing is saved unless everything is. Raises StudyRefused while the study is open and for a condition
    that is there already or that people saw; ChangedMeanwhile if the study is not as at the stamp `seen`.
    """
    lock_as_seen(study, seen)
    refuse_if_open(study)
    forget_preview(study)
    for slug in remove:
        _remove(study, slug)
    current = Study.objects.get(pk=study.pk)
    changed = [name for name, value in plan.items() if getattr(current, name) != value]
    for name in changed:
        setattr(current, name, plan[name])
    if changed:
        current.save(update_fields=changed)
    added = [_add(study, pick, options or {}) for pick in picks]
    detail = {"added": [one.slug for one in added], "removed": list(remove), "changed": changed}
    if any(detail.values()):
        record_event(user=by, action="change design", subject=study, detail=detail)
    return added


def _remove(study: Study, slug: str) -> None:
    condition = study.conditions.filter(slug=slug).first()
    if condition is None:
        raise StudyRefused(f"there is no condition {slug!r} to remove")
    if condition.trials.exists():
        raise StudyRefused(
            f"condition {slug} is part of an opened version, so it stays; make a clone without it"
        )
    condition.delete()


def _add(study: Study, pick: Pick, options: Mapping[str, Any]) -> Condition:
    wanted = planned_condition(study, pick, options)
    same = {name: getattr(wanted, name) for name in Condition.FROZEN if name != "slug"}
    if existing := study.conditions.filter(**same).first():
        raise StudyRefused(f"condition {existing.slug} asks exactly that already")
    try:
        wanted.clean_fields(exclude=["slug"])
        wanted.clean()
    except ValidationError as error:
        raise StudyRefused(" ".join(error.messages)) from None
    return add_condition(
        study=study,
        layer=pick.layer,
        recipe=pick.recipe,
        image_set=pick.image_set,
        iri_seed=pick.iri_seed,
        **options,
    )
