"""Making studies, and freezing them into versions when they open."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from survey_site.access.models import User
from survey_site.access.services import make_owner, record_event
from survey_site.stimuli.models import ImageSet, IRIJob, IRIStatus, Layer, Recipe, StoredImage
from survey_site.stimuli.services.images import clean_image, encode_png, store_image
from survey_site.studies import design, formats
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
from survey_site.studies.money import MoneyError, minor_units
from survey_site.studies.planned import ConditionPlan, DesignError, Item, PlannedTrial
from survey_site.studies.previews import PREVIEW_NUMBER
from survey_site.studies.questionnaire import fault_of
from survey_site.studies.texts import DEFAULT_TEXTS, FIELDS, consent_version, render

ICON_PX = 128


class StudyRefused(Exception):
    """A study that cannot be made or opened as it stands; the message says what is missing."""


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
    """Add a pair and recipe to the draft; the slug names network, layer and recipe."""
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


def missing_for_opening(study: Study) -> list[str]:
    """What keeps the study from opening, one sentence each; empty if nothing does."""
    conditions = list(study.conditions.with_pairs())
    if not conditions:
        return ["the study has no conditions"]
    missing = [sentence for condition in conditions for sentence in _missing_in(condition)]
    sizes = {size for condition in conditions for size in _sizes(condition)}
    if len(sizes) > 1:
        names = ", ".join(f"{size} px" for size in sorted(sizes))
        missing.append(f"images of one study have one size, but the conditions have {names}")
    if not study.texts.exists():
        missing.append("the study has no texts")
    return missing or _missing_in_plan(study)


def _missing_in_plan(study: Study) -> list[str]:
    """What the conditions, each of which is whole, do not allow together."""
    missing = _missing_in_questions(study)
    if study.practice_pass > study.n_practice:
        missing.append(
            f"{study.practice_pass} right answers are needed of {study.n_practice} practice trials"
        )
    if study.failed_check_code and study.catch_pass > study.n_catch:
        missing.append(f"{study.catch_pass} right answers are needed of {study.n_catch} catch trials")
    missing += _missing_in_pay(study)
    try:
        design.check_repeats(planned_counts(study)["main"], session_plan(study))
    except DesignError as error:
        missing.append(str(error))
    return missing


def _missing_in_pay(study: Study) -> list[str]:
    try:
        minor_units(Decimal(str(study.base_pay)), study.currency)
    except MoneyError as error:
        return [str(error)]
    return []


def _missing_in_questions(study: Study) -> list[str]:
    """Every language asks the same, and every question can be asked."""
    questions = list(study.questions.all())
    faults = [
        f"question {question}: {fault}" for question in questions if (fault := fault_of(question.as_field()))
    ]
    asked = {
        language: {(one.name, one.kind) for one in questions if one.language == language}
        for language in study.texts.values_list("language", flat=True)
    }
    everything = {(one.name, one.kind) for one in questions}
    lacking = [
        f"the questionnaire in {language} lacks {', '.join(sorted(name for name, _ in everything - own))}"
        for language, own in sorted(asked.items())
        if everything - own
    ]
    return faults + lacking


def session_plan(settings: Study | Mapping[str, Any]) -> design.SessionPlan:
    """The plan of one session, from a draft or from a version's frozen settings."""
    names = [field.name for field in fields(design.SessionPlan)]
    source = settings if isinstance(settings, Mapping) else vars(settings)
    return design.SessionPlan(**{name: source[name] for name in names})


def _missing_in(condition: Condition) -> list[str]:
    by_status = Counter(condition.iris().values_list("status", flat=True))
    total, unfinished = by_status.total(), by_status.total() - by_status[IRIStatus.DONE]
    if total == 0:
        return [f"condition {condition.slug}: no IRIs were queued for this pair, recipe and image set"]
    if unfinished:
        counts = ", ".join(
            f"{by_status[one]} {one}" for one in IRIStatus if one != IRIStatus.DONE and by_status[one]
        )
        return [f"condition {condition.slug}: {unfinished} of {total} IRIs are not finished ({counts})"]
    if not condition.usable_iris().exists():
        return [
            f"condition {condition.slug}: all {total} IRIs failed their quality check "
            "(tick “include IRIs that failed” to show them all the same)"
        ]
    fault = formats.fault_of(plan_condition(condition))
    return [f"condition {condition.slug}: {fault}"] if fault else []


def _sizes(condition: Condition) -> set[int]:
    return set(condition.usable_iris().values_list("image__width", flat=True))


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
    rows = condition.usable_iris().order_by("target__name", "pk")
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
    plans = [plan for plan in plan_conditions(study) if formats.fault_of(plan) is None]
    main = sum(len(formats.main_trials(plan, seed=study.rng_seed)) for plan in plans)
    return {
        "main": main,
        "catch": study.n_catch if main else 0,
        "practice": study.n_practice if main else 0,
        "per_participant": min(study.trials_per_participant or main, main),
        "repeats": study.n_repeats if main else 0,
        "left_over": sum(formats.left_over(plan) for plan in plans),
    }


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
    study = Study.objects.select_for_update().get(pk=study.pk)
    missing = missing_for_opening(study)
    if missing:
        raise StudyRefused("; ".join(missing))
    if not study.completion_code:
        study.completion_code = secrets.token_hex(4).upper()
    version = _freeze(study)
    study.status = StudyStatus.OPEN
    study.save()
    record_event(user=opened_by, action="open study", subject=study, detail={"version": version.number})
    return version


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
        "withdrawal", "base_pay_minor", "currency",
    ]  # fmt: skip
    return {
        **{name: getattr(study, name) for name in names},
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
            **{name: render(getattr(text, name)) for name in FIELDS},
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
