"""What the chosen versions show: the rows of stimuli.csv, and the images themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet

from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.stimulus_columns import StimulusFacts
from survey_site.analysis.wide_columns import item_name
from survey_site.stimuli.models import IRI, StoredImage
from survey_site.studies.models import Trial, TrialOption, TrialReference

TRIALS_PER_FETCH = 500


def stimulus_facts(selection: Selection) -> Iterator[StimulusFacts]:
    """Trial by trial of each version: its references, then its options."""
    trials = Trial.objects.filter(version__in=selection.versions()).order_by("version__number", "number")
    fetched = trials.select_related("version", "condition__layer__network", "condition__recipe")
    for trial in fetched.prefetch_related(*_SHOWN).iterator(chunk_size=TRIALS_PER_FETCH):
        yield from _of_trial(selection.study.slug, trial)


_SHOWN = (
    "options__image",
    "references__image",
    "references__answer",
    "references__iri__target",
    "references__iri__start_image",
    "references__iri__target_resized",
    "references__iri__recipe",
    "references__iri__layer__network",
)


def _of_trial(study: str, trial: Trial) -> Iterator[StimulusFacts]:
    references = sorted(trial.references.all(), key=lambda one: one.index)
    several = len(references) > 1
    for reference in references:
        name = item_name(
            version=trial.version.number,
            trial=trial.number,
            reference=reference.index if several else None,
        )
        facts = _shown(study, trial, "reference", reference, name)._replace(answer=reference.answer.index)
        yield facts._replace(**_about(reference.iri)) if reference.iri else facts
    for option in sorted(trial.options.all(), key=lambda one: one.index):
        yield _shown(study, trial, "option", option, "")._replace(label=option.label)


def _shown(
    study: str, trial: Trial, role: str, shown: TrialReference | TrialOption, item: str
) -> StimulusFacts:
    image = shown.image
    return StimulusFacts(
        study=study,
        study_version=trial.version.number,
        item=item,
        trial=trial.pk,
        trial_number=trial.number,
        trial_format=trial.format,
        trial_kind=trial.kind,
        condition=trial.condition.slug if trial.condition else "",
        role=role,
        place=shown.index,
        id=shown.pk,
        answer=None,
        label="",
        image=image.sha256 if image else "",
        file=image_name(image) if image else "",
        width=image.width if image else None,
        height=image.height if image else None,
    )


def _about(iri: IRI) -> dict[str, Any]:
    return {
        "network": iri.layer.network.slug,
        "weights_sha256": iri.layer.network.weights_sha256,
        "layer": iri.layer.name,
        "recipe": iri.recipe.name,
        "recipe_sha256": iri.recipe.sha256,
        "iri_id": iri.pk,
        "rng_seed": iri.rng_seed,
        "target_id": iri.target_id,
        "target_label": iri.target.label,
        "target_image": iri.target_resized.sha256 if iri.target_resized else "",
        "start_image": iri.start_image.sha256 if iri.start_image else "",
        "relative_error": iri.relative_error,
        "cosine": iri.cosine,
        "passed": iri.passed,
        "passed_reason": iri.passed_reason,
    }


def image_name(image: StoredImage) -> str:
    """Its place in images.zip: named by its content, so that the same image is one file."""
    return f"images/{image.sha256}{EXTENSIONS.get(image.media_type, '')}"


EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}


def images_of(selection: Selection) -> QuerySet[StoredImage]:
    """Every image that the versions show, and the targets and start images of their IRIs, each once."""
    references = TrialReference.objects.filter(trial__version__in=selection.versions())
    options = TrialOption.objects.filter(trial__version__in=selection.versions())
    about = [references.values(name) for name in ("image", "iri__target_resized", "iri__start_image")]
    wanted = Q(pk__in=options.values("image"))
    for images in about:
        wanted |= Q(pk__in=images)
    return StoredImage.objects.filter(wanted).order_by("sha256")
