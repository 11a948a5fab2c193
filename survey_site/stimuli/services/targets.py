"""Changes to the images of a set: labels, and leaving, where nothing was made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet
from simple_history.utils import bulk_update_with_history

from survey_site.access.dependants import what_depends
from survey_site.access.models import User
from survey_site.access.services import record_event
from survey_site.stimuli.image_names import as_label
from survey_site.stimuli.models import IRI, ImageSet, TargetImage

NAMED = 3


@dataclass
class Removal:
    """Names of the images that left the set, and (name, reason) of those that had to stay."""

    removed: list[str] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)


def remove_targets(*, image_set: ImageSet, targets: QuerySet[TargetImage], user: User) -> Removal:
    """Take images out of the set, but for those that IRIs were made of, or trials show; these are named.

    The stored pictures stay until `manage.py orphans --remove`: another set may hold them, too.
    """
    removal = Removal()
    for target in targets.filter(image_set=image_set):
        if uses := uses_of(target, user=user):
            removal.kept.append((target.name, uses))
        elif _delete(target):
            removal.removed.append(target.name)
        else:
            removal.kept.append((target.name, "an IRI of it was queued just now"))
    if removal.removed:
        record_event(
            user=user,
            action="delete images",
            subject=image_set,
            detail={"n": len(removal.removed), "names": removal.removed[:100]},
        )
    return removal


def _delete(target: TargetImage) -> bool:
    try:
        with transaction.atomic():
            target.delete()
    except (ProtectedError, IntegrityError):  # something was made of it since
        return False
    return True


def uses_of(target: TargetImage, *, user: User) -> str:
    """What was made of the image, in words; empty where nothing was. What `user` may not see is counted."""
    iris = IRI.objects.filter(target=target)
    if not iris.exists():
        return ""
    seen = iris.visible_to(user)
    pairs = _listed(
        f"{network} · {layer} (job {job})"
        for network, layer, job in seen.order_by("pk").values_list(
            "layer__network__name", "layer__name", "job_id"
        )
    )
    said = [f"IRIs match it: {pairs}"] if pairs else []
    if others := iris.count() - seen.count():
        said.append(f"{others} IRIs of networks that are not shared with you match it")
    # The room of studies names those whose trials show one of the IRIs.
    if iris.filter(references__isnull=False).exists():
        said += [f"trials show them: {named}" for named in what_depends(TargetImage, [target.pk], [])]
    return "; ".join(said)


def _listed(names: Iterable[object]) -> str:
    distinct = list(dict.fromkeys(map(str, names)))
    more = len(distinct) - NAMED
    return ", ".join(distinct[:NAMED]) + (f" and {more} more" if more > 0 else "")


def relabel(*, targets: QuerySet[TargetImage], label: str) -> int:
    """Give all of them this label; how many have another now. Each change is in the set's history."""
    changed = list(targets.exclude(label=as_label(label)))
    for target in changed:
        target.label = as_label(label)
    bulk_update_with_history(changed, TargetImage, ["label"], batch_size=500)
    return len(changed)
