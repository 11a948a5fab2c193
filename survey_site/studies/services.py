"""Making studies, and freezing them into versions when they open."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from survey_site.access.models import User
from survey_site.access.services import make_owner, record_event
from survey_site.stimuli.models import ImageSet, IRIJob, Layer, Recipe, StoredImage
from survey_site.stimuli.services.images import clean_image, encode_png, store_image
from survey_site.studies import design
from survey_site.studies.locks import refuse_if_open
from survey_site.studies.models import (
    Condition,
    Shows,
    Study,
    StudyStatus,
    StudyText,
    StudyVersion,
    Trial,
    TrialFormat,
    TrialOption,
    TrialReference,
)
from survey_site.studies.planned import PlannedTrial
from survey_site.studies.plans import plan_conditions
from survey_site.studies.previews import PREVIEW_NUMBER
from survey_site.studies.readiness import missing_for_opening
from survey_site.studies.refusals import StudyRefused as StudyRefused  # for callers
from survey_site.studies.texts import DEFAULT_TEXTS, FIELDS, OPTIONAL_FIELDS, consent_version, render

ICON_PX = 128


@transaction.atomic
def create_study(*, slug: str, name: str, created_by: User | None = None, **settings: Any) -> Study:
    """A draft with the default English texts, owned by whoever makes it."""
    if Study.objects.filter(slug=slug).exists():
        raise StudyRefused(f"study {slug!r} exists already")
    study = Study.objects.create(
        slug=slug, name=name, created_by_id=created_by.pk if created_by else None, **settings
    )
    StudyText.objects.create(study=study, **DEFAULT_TEXTS)
    make_owner(user=created_by, of=study)
    return study


def add_condition(
    *, study: Study, layer: Layer, recipe: Recipe, image_set: ImageSet, iri_seed: int = 0, **settings: Any
) -> Condition:
    """Add a pair and recipe to the draft; the slug names network, layer and recipe.

    Raises StudyRefused while the study is open.
    """
    refuse_if_open(study)
    shows = settings.get("shows", Shows.IRI)
    parts = [layer.network.slug, slugify(layer.name), recipe.preset, "" if shows == Shows.IRI else shows]
    slug = "-".join(part.strip("_-") for part in parts if part)[:110]
    return Condition.objects.create(
        study=study,
        slug=_free_slug(study, slug),
        layer=layer,
        recipe=recipe,
        image_set=image_set,
        iri_seed=iri_seed,
        **settings,
    )


def _free_slug(study: Study, slug: str) -> str:
    taken = set(study.conditions.values_list("slug", flat=True))
    candidates = [slug, *(f"{slug}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


@transaction.atomic
def study_from_jobs(
    *, slug: str, name: str, jobs: Iterable[IRIJob], created_by: User | None = None, **settings: Any
) -> Study:
    """A draft with one condition per job."""
    study = create_study(slug=slug, name=name, created_by=created_by, **settings)
    for job in jobs:
        add_condition(
            study=study,
            layer=job.layer,
            recipe=job.recipe,
            image_set=job.image_set,
            iri_seed=job.rng_seed,
        )
    return study


def icon_image(data: bytes) -> StoredImage:
    """The picture of a label, from an image file. Raises ImageRefused for what is not one."""
    picture = clean_image(data)
    picture.thumbnail((ICON_PX, ICON_PX))
    return store_image(encode_png(picture), size=picture.size)


@transaction.atomic
def open_study(*, study: Study, opened_by: User | None = None) -> StudyVersion:
    """Freeze the draft into a new version, unless nothing changed since the last one, and let people in.

    Raises StudyRefused naming everything that is missing.
    """
    return _frozen_with(study, StudyStatus.OPEN, "open study", opened_by)


@transaction.atomic
def pilot_study(*, study: Study, by: User | None = None) -> StudyVersion:
    """Freeze the draft and let pilots in, but nobody else yet; the draft can be changed all the same.

    An open study takes pilots as it is. Raises StudyRefused naming everything that is missing.
    """
    current = Study.objects.select_for_update().get(pk=study.pk)
    if current.is_open and current.current_version:
        return current.current_version
    return _frozen_with(study, StudyStatus.PILOT, "pilot study", by)


def _frozen_with(study: Study, status: str, action: str, by: User | None) -> StudyVersion:
    study = Study.objects.select_for_update().get(pk=study.pk)
    missing = missing_for_opening(study)
    if missing:
        raise StudyRefused("; ".join(missing))
    if not study.completion_code:
        study.completion_code = secrets.token_hex(4).upper()
    version = _freeze(study)
    study.status = status
    study.save()
    record_event(user=by, action=action, subject=study, detail={"version": version.number})
    return version


#: From where a study gets there, apart from opening.
MAY_BECOME = {
    StudyStatus.PAUSED: (StudyStatus.OPEN,),
    StudyStatus.CLOSED: (StudyStatus.OPEN, StudyStatus.PAUSED, StudyStatus.PILOT),
}


def pause_study(*, study: Study, by: User | None = None) -> None:
    """No new sessions; those under way may finish."""
    _set_status(study, StudyStatus.PAUSED, by)


def close_study(*, study: Study, by: User | None = None) -> None:
    """No new sessions, for good until it is opened again; those under way may finish."""
    _set_status(study, StudyStatus.CLOSED, by)


@transaction.atomic
def _set_status(study: Study, status: StudyStatus, by: User | None) -> None:
    if not study.versions.exists():
        raise StudyRefused(f"study {study.slug!r} never opened, so it cannot be {status}")
    study = Study.objects.select_for_update().get(pk=study.pk)
    if study.status not in (*MAY_BECOME[status], status):
        allowed = ", ".join(MAY_BECOME[status])
        raise StudyRefused(
            f"study {study.slug!r} is {study.status}, so it cannot be {status}; allowed from: {allowed}"
        )
    study.status = status
    study.save(update_fields=["status"])
    record_event(user=by, action=f"{status} study", subject=study)


def forget_preview(study: Study) -> None:
    """Delete the study's preview with all that was answered in it."""
    study.sessions.filter(version__number=PREVIEW_NUMBER).delete()
    TrialReference.objects.filter(
        trial__version__study=study, trial__version__number=PREVIEW_NUMBER
    ).delete()  # first, since their answers are protected
    StudyVersion.everything.filter(study=study, number=PREVIEW_NUMBER).delete()


@transaction.atomic
def freeze_preview(study: Study) -> StudyVersion:
    """The draft as a version that only a preview runs, in place of an earlier one.

    Raises StudyRefused naming everything that is missing.
    """
    study = Study.objects.select_for_update().get(pk=study.pk)
    forget_preview(study)
    if missing := missing_for_opening(study):
        raise StudyRefused("; ".join(missing))
    trials = _plan(study)
    settings, texts = frozen_settings(study, trials), frozen_texts(study)
    version = StudyVersion.everything.create(
        study=study,
        number=PREVIEW_NUMBER,
        settings=settings,
        texts=texts,
        sha256=content_hash(settings, texts, trials),
    )
    _save_trials(version, trials)
    return version


def _plan(study: Study) -> tuple[PlannedTrial, ...]:
    return design.plan_trials(
        plan_conditions(study), n_catch=study.n_catch, n_practice=study.n_practice, seed=study.rng_seed
    )


def _freeze(study: Study) -> StudyVersion:
    trials = _plan(study)
    settings, texts = frozen_settings(study, trials), frozen_texts(study)
    sha256 = content_hash(settings, texts, trials)
    current = study.current_version
    if current and current.sha256 == sha256:
        return current
    version = StudyVersion.objects.create(
        study=study,
        number=current.number + 1 if current else 1,
        settings=settings,
        texts=texts,
        sha256=sha256,
    )
    _save_trials(version, trials)
    return version


def frozen_settings(study: Study, trials: Iterable[PlannedTrial]) -> dict[str, Any]:
    """Everything about the study that participants or analysts depend on, by name."""
    sha = next(image for trial in trials for image in _stimuli(trial))
    width = StoredImage.objects.values_list("width", flat=True).get(sha256=sha)
    names = [
        "slug", "minutes", "contact", "trials_per_participant", "n_catch", "n_practice", "practice_pass",
        "practice_rounds", "n_repeats", "repeat_distance", "break_every", "quota", "resume_minutes",
        "time_limit_ms", "fixation_ms",
        "image_frames", "reference_ms", "mask_ms", "confidence_levels", "rng_seed", "mobile_policy",
        "keyboard_shortcuts", "image_scaling", "completion_code", "refusal_code", "screened_out_code",
        "failed_check_code", "catch_pass", "completion_url",
        "withdrawal", "base_pay_minor", "currency", "preregistration_url",
    ]  # fmt: skip
    return {
        **{name: getattr(study, name) for name in names},
        # In the order in which they were written: the study's own comes first.
        "languages": list(study.texts.order_by("pk").values_list("language", flat=True)),
        "image_px": width,
        "exclusion_rules": [row.as_rule().to_dict() for row in study.exclusion_rules.all()],
        "conditions": [_frozen_condition(condition) for condition in study.conditions.with_pairs()],
    }


def _stimuli(trial: PlannedTrial) -> list[str]:
    """The trial's images, icons apart: those have a size of their own."""
    options = [] if trial.format == TrialFormat.CLASSIFICATION else trial.options
    shown = [*(reference.image for reference in trial.references), *(option.image for option in options)]
    return [image for image in shown if image is not None]


def _frozen_condition(condition: Condition) -> dict[str, Any]:
    return {
        "slug": condition.slug,
        "shows": condition.shows,
        "network": condition.layer.network.slug,
        "weights_sha256": condition.layer.network.weights_sha256,
        "layer": condition.layer.name,
        "recipe": condition.recipe.sha256,
        "image_set": condition.image_set.slug,
        "iri_seed": condition.iri_seed,
        "include_failed": condition.include_failed,
        "format": condition.format,
        "foil_rule": condition.foil_rule,
        "n_options": condition.n_options,
    }


def frozen_texts(study: Study) -> dict[str, Any]:
    questions = list(study.questions.all())
    return {
        text.language: {
            "title": text.title,
            **{name: render(getattr(text, name)) for name in (*FIELDS, *OPTIONAL_FIELDS)},
            "consent_version": consent_version(text.consent),
            "questions": [
                asdict(question.as_field()) for question in questions if question.language == text.language
            ],
        }
        for text in study.texts.order_by("language")
    }


def content_hash(settings: dict[str, Any], texts: dict[str, Any], trials: Iterable[PlannedTrial]) -> str:
    """SHA-256 over settings, texts and trials with their image hashes; no database id enters it."""
    content = {
        "settings": settings,
        "texts": texts,
        "trials": [
            {
                "condition": trial.condition,
                "format": trial.format,
                "kind": trial.kind,
                "references": [[reference.image, reference.answer] for reference in trial.references],
                "options": [[option.image, option.label] for option in trial.options],
            }
            for trial in trials
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _save_trials(version: StudyVersion, planned: Iterable[PlannedTrial]) -> None:
    trials = list(planned)
    conditions = {condition.slug: condition for condition in version.study.conditions.all()}
    images = _image_ids(trials)
    rows = [
        Trial(
            version=version,
            number=number,
            condition=conditions[trial.condition] if trial.condition else None,
            format=trial.format,
            kind=trial.kind,
        )
        for number, trial in enumerate(trials)
    ]
    options = [
        [
            TrialOption(
                trial=row,
                index=index,
                image_id=images[option.image] if option.image else None,
                label=option.label,
            )
            for index, option in enumerate(trial.options)
        ]
        for row, trial in zip(rows, trials, strict=True)
    ]
    references = [
        TrialReference(
            trial=row,
            index=index,
            image_id=images[reference.image] if reference.image else None,
            answer=choices[reference.answer],
            iri_id=reference.iri,
        )
        for row, trial, choices in zip(rows, trials, options, strict=True)
        for index, reference in enumerate(trial.references)
    ]
    Trial.objects.bulk_create(rows)
    TrialOption.objects.bulk_create([option for choices in options for option in choices])
    TrialReference.objects.bulk_create(references)


def _image_ids(trials: Iterable[PlannedTrial]) -> dict[str, Any]:
    hashes = {
        image
        for trial in trials
        for image in (
            *(reference.image for reference in trial.references),
            *(option.image for option in trial.options),
        )
        if image is not None
    }
    return dict(StoredImage.objects.filter(sha256__in=hashes).values_list("sha256", "pk"))
