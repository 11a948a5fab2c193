"""The responses row by row, as Python objects: what the statistics read, and what COPY is held to."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import QuerySet

from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.models import Exclusion
from survey_site.analysis.response_facts import (
    NO_RECRUITER_IDS,
    ExportRow,
    RecruiterIds,
    ReferenceFacts,
    ResponseFields,
    TrialFacts,
)
from survey_site.participation.models import Response
from survey_site.studies.models import Trial, TrialOption, TrialReference

ROWS_PER_FETCH = 2000

# Where ResponseFields, in its order, are found from a Response.
RESPONSE_PATHS = (
    "presentation__trial_id",
    "reference_id",
    "option_id",
    "presentation_id",
    "presentation__option_order",
    "presentation__block",
    "presentation__attempt",
    "presentation__repeat_of_id",
    "presentation__session_id",
    "presentation__session__participant_id",
    "presentation__session__study__slug",
    "presentation__session__version__number",
    "presentation__session__mode",
    "presentation__session__language",
    "presentation__session__recruiter",
    "presentation__session__rng_seed",
    "entry__seq",
    "entry__received_at",
    "rt",
    "rt_raw_ms",
    "onset_frame_ms",
    "time_elapsed",
    "trial_type",
    "trial_index",
    "input",
    "refresh_hz",
    "frames_dropped",
    "focus_lost",
    "timed_out",
    "confidence",
)


def export_rows(selection: Selection) -> Iterator[ExportRow]:
    """What the rows of the responses say, in their order, with exclusions as last decided."""
    trials, references = _trial_facts(selection), _reference_facts(selection)
    excluded = _excluded_by(selection)
    ids = recruiter_ids(selection) if selection.is_full else {}
    for values in _responses(selection):
        row = ResponseFields._make(values)
        yield ExportRow(
            row,
            trials[row.trial],
            references[row.reference],
            excluded.get(row.session, ""),
            ids.get(row.session, NO_RECRUITER_IDS),
        )


def recruiter_ids(selection: Selection) -> dict[UUID, RecruiterIds]:
    """By session, as its recruiter knows it and its participant."""
    sessions = selection.sessions().prefetch_related("participant__recruiter_ids")
    found = {}
    for session in sessions.select_related("submission").iterator(chunk_size=ROWS_PER_FETCH):
        known = [one for one in session.participant.recruiter_ids.all() if one.recruiter == session.recruiter]
        submission = getattr(session, "submission", None)
        found[session.pk] = RecruiterIds(
            min(known, key=lambda one: one.pk).external_id_hash if known else None,
            submission.submission_id if submission else None,
            submission.recruiter_study_id if submission else None,
        )
    return found


def trials_of(selection: Selection) -> QuerySet[Trial]:
    return Trial.objects.filter(version__in=selection.versions())


def _responses(selection: Selection) -> Iterator[tuple]:
    responses = selection.of_sessions(Response.objects.all(), "presentation__session")
    order = (
        "presentation__session__created_at",
        "presentation__session_id",
        "presentation__position",
        "reference__index",
    )
    return responses.order_by(*order).values_list(*RESPONSE_PATHS).iterator(chunk_size=ROWS_PER_FETCH)


def _trial_facts(selection: Selection) -> dict[UUID, TrialFacts]:
    options: dict[UUID, list[str]] = {}
    rows = TrialOption.objects.filter(trial__in=trials_of(selection)).order_by("trial", "index")
    for trial, option in rows.values_list("trial_id", "id"):
        options.setdefault(trial, []).append(str(option))
    trials = trials_of(selection).select_related("condition__layer__network", "condition__recipe")
    return {trial.pk: _facts(trial, tuple(options[trial.pk])) for trial in trials}


def _facts(trial: Trial, options: tuple[str, ...]) -> TrialFacts:
    condition = trial.condition
    return TrialFacts(
        id=str(trial.pk),
        format=trial.format,
        kind=trial.kind,
        condition=condition.slug if condition else "",
        network=condition.layer.network.slug if condition else "",
        layer=condition.layer.name if condition else "",
        recipe=condition.recipe.name if condition else "",
        options=options,
    )


def _reference_facts(selection: Selection) -> dict[UUID, ReferenceFacts]:
    references = TrialReference.objects.filter(trial__in=trials_of(selection))
    rows = references.values_list(
        "id",
        "index",
        "answer__index",
        "image__sha256",
        "iri_id",
        "iri__target_id",
        "iri__target__label",
        "iri__start_image__sha256",
    )
    return {
        key: ReferenceFacts(str(key), index, answer, *(str(fact or "") for fact in about))
        for key, index, answer, *about in rows
    }


def _excluded_by(selection: Selection) -> dict[UUID, str]:
    """Rules against each session left out, joined by `|`."""
    rules: dict[UUID, list[str]] = {}
    verdicts = Exclusion.objects.of_study(selection.study, selection.filters.mode).order_by("session", "rule")
    for session, rule in verdicts.values_list("session_id", "rule"):
        rules.setdefault(session, []).append(rule)
    return {session: "|".join(names) for session, names in rules.items()}
