"""Which studies stand on an image set, a network, a recipe, an IRI or a condition, and how many sessions."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Model, Q
from django.dispatch import receiver

from survey_site.access.dependants import asked_what_depends
from survey_site.stimuli.models import IRI, ImageSet, IRIJob, Layer, Network, Recipe, TargetImage
from survey_site.studies.models import Condition, Study, StudyVersion

#: By model: how a study leads to its rows.
PATHS: dict[type[Model], str] = {
    Network: "conditions__layer__network",
    Layer: "conditions__layer",
    Recipe: "conditions__recipe",
    ImageSet: "conditions__image_set",
    TargetImage: "versions__trials__references__iri__target",
    IRIJob: "versions__trials__references__iri__job",
    IRI: "versions__trials__references__iri",
    Condition: "conditions",
}


@receiver(asked_what_depends)
def name_studies(sender: type[Model], pks: list[Any], **_: Any) -> list[str]:
    if sender in (Study, StudyVersion):
        versions = StudyVersion.objects.filter(**{"study__in" if sender is Study else "pk__in": pks})
        return [_with_sessions(str(one), one.n) for one in versions.annotate(n=Count("sessions"))]
    if sender not in PATHS:
        return []
    found = Study.objects.filter(pk__in=Study.objects.filter(**{f"{PATHS[sender]}__in": pks}).values("pk"))
    seen = Count("sessions", filter=Q(sessions__version__number__gt=0))
    return [
        _with_sessions(f"study {study.name}", study.n) for study in found.annotate(n=seen).order_by("name")
    ]


def _with_sessions(name: str, n: int) -> str:
    return f"{name} ({n or 'no'} session{'' if n == 1 else 's'})"
