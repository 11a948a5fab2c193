"""CSV files streamed from the database. Their columns are those of `columns`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from statistics import median
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from survey_site.analysis.columns import (
    RESPONSE_COLUMNS,
    Column,
    ExportRow,
    ReferenceFacts,
    ResponseFields,
    Row,
    TrialFacts,
)
from survey_site.analysis.condition_columns import CONDITION_COLUMNS, ConditionFacts
from survey_site.analysis.condition_labels import condition_labels
from survey_site.analysis.judgement_columns import JUDGEMENT_COLUMNS, JudgementFields
from survey_site.analysis.models import Exclusion, Observation, ObserverJudgement
from survey_site.analysis.questionnaire_columns import (
    QUESTIONNAIRE_COLUMNS,
    QUESTIONNAIRE_PATHS,
    QuestionnaireFields,
)
from survey_site.analysis.session_columns import SESSION_COLUMNS, SESSION_PATHS, SessionFields
from survey_site.participation.models import QuestionnaireAnswer, Response, StudySession
from survey_site.stimuli.models import IRIStatus
from survey_site.studies.models import Condition, Study, StudyVersion, Trial, TrialOption, TrialReference

ROWS_PER_CHUNK = 500
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


def stream_responses_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All responses of a study, or of one version of it, in one mode (`real` or `pilot`), as CSV text.

    Yields some hundred lines at a time, the header first, from a server-side cursor: memory does not grow
    with the number of responses. Sessions come in the order in which they started.
    """
    return _csv(RESPONSE_COLUMNS, export_rows(source, mode))


def export_rows(source: Study | StudyVersion, mode: str) -> Iterator[ExportRow]:
    """What the rows of the responses say, in their order, with exclusions as last decided."""
    trials, references = _trial_facts(source), _reference_facts(source)
    excluded = _excluded_by(source, mode)
    for values in _responses(source, mode):
        row = ResponseFields._make(values)
        yield ExportRow(row, trials[row.trial], references[row.reference], excluded.get(row.session, ""))


def condition_facts(source: Study | StudyVersion) -> list[ConditionFacts]:
    """The facts about the conditions of a study, or of those that one version asks about.

    By network and depth, so that a reader finds the layers of a network in their order.
    """
    conditions = sorted(_conditions(source), key=_place)
    labels = condition_labels(conditions)
    return [_condition_facts(condition, labels[condition.slug]) for condition in conditions]


def stream_conditions_csv(source: Study | StudyVersion) -> Iterator[str]:
    """The facts about the conditions of a study, or of those that one version asks about, as CSV text."""
    return _csv(CONDITION_COLUMNS, condition_facts(source))


def stream_judgements_csv(source: Study | StudyVersion) -> Iterator[str]:
    """What simulated observers judged of a study's trials, or of one version's, as CSV text.

    Those of the version and weights that judged last; by observer, then by trial in its version's order.
    """
    return _csv(JUDGEMENT_COLUMNS, map(JudgementFields._make, _judgements(source)))


def stream_questionnaire_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All answers to the questionnaire of a study, or of one version, in one mode, as CSV text."""
    answers = QuestionnaireAnswer.objects.filter(session__mode=mode)
    if isinstance(source, StudyVersion):
        answers = answers.filter(session__version=source)
    else:
        answers = answers.filter(session__study=source)
    rows = answers.order_by("session__created_at", "session_id", "pk").values_list(*QUESTIONNAIRE_PATHS)
    found = rows.iterator(chunk_size=ROWS_PER_FETCH)
    return _csv(QUESTIONNAIRE_COLUMNS, map(QuestionnaireFields._make, found))


def stream_sessions_csv(source: Study | StudyVersion, *, mode: str) -> Iterator[str]:
    """All sessions of a study, or of one version, in one mode, as CSV text: how far each came."""
    sessions = StudySession.objects.filter(mode=mode)
    if isinstance(source, StudyVersion):
        sessions = sessions.filter(version=source)
    else:
        sessions = sessions.filter(study=source)
    rows = sessions.order_by("created_at", "pk").values_list(*SESSION_PATHS)
    found = rows.iterator(chunk_size=ROWS_PER_FETCH)
    return _csv(SESSION_COLUMNS, map(SessionFields._make, found))


def _csv(columns: tuple[Column[Row], ...], rows: Iterable[Row]) -> Iterator[str]:
    yield _lines([[column.name for column in columns]])
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_PER_CHUNK)):
        yield _lines([column.cell(row) for column in columns] for row in batch)


def _lines(rows: Iterable[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _responses(source: Study | StudyVersion, mode: str) -> Iterator[tuple]:
    responses = Response.objects.filter(presentation__session__mode=mode)
    if isinstance(source, StudyVersion):
        responses = responses.filter(presentation__session__version=source)
    else:
        responses = responses.filter(presentation__session__study=source)
    order = (
        "presentation__session__created_at",
        "presentation__session_id",
        "presentation__position",
        "reference__index",
    )
    return responses.order_by(*order).values_list(*RESPONSE_PATHS).iterator(chunk_size=ROWS_PER_FETCH)


# Where JudgementFields, in its order, are found from an ObserverJudgement.
JUDGEMENT_PATHS = (
    "trial__version__study__slug",
    "trial__version__number",
    "trial__condition__slug",
    "trial__kind",
    "trial_id",
    "reference_id",
    "reference__index",
    "observer",
    "version",
    "weights_sha256",
    "choice_id",
    "n_nearest",
    "credit",
    "distances",
)


def _judgements(source: Study | StudyVersion) -> Iterator[tuple]:
    study = source.study if isinstance(source, StudyVersion) else source
    last = Observation.objects.filter(
        study=study,
        observer=OuterRef("observer"),
        version=OuterRef("version"),
        weights_sha256=OuterRef("weights_sha256"),
    )
    found = ObserverJudgement.objects.filter(Exists(last), trial__in=_trials(source))
    order = ("observer", "trial__version__number", "trial__condition__slug", "trial_id", "reference__index")
    return found.order_by(*order).values_list(*JUDGEMENT_PATHS).iterator(chunk_size=ROWS_PER_FETCH)


def _trials(source: Study | StudyVersion) -> QuerySet[Trial]:
    if isinstance(source, StudyVersion):
        return Trial.objects.filter(version=source)
    return Trial.objects.filter(version__study=source)


def _trial_facts(source: Study | StudyVersion) -> dict[UUID, TrialFacts]:
    options: dict[UUID, list[str]] = {}
    rows = TrialOption.objects.filter(trial__in=_trials(source)).order_by("trial", "index")
    for trial, option in rows.values_list("trial_id", "id"):
        options.setdefault(trial, []).append(str(option))
    trials = _trials(source).select_related("condition__layer__network", "condition__recipe")
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


def _reference_facts(source: Study | StudyVersion) -> dict[UUID, ReferenceFacts]:
    references = TrialReference.objects.filter(trial__in=_trials(source))
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


def _excluded_by(source: Study | StudyVersion, mode: str) -> dict[UUID, str]:
    """Rules against each session left out, joined by `|`."""
    study = source.study if isinstance(source, StudyVersion) else source
    rules: dict[UUID, list[str]] = {}
    verdicts = Exclusion.objects.of_study(study, mode).order_by("session", "rule")
    for session, rule in verdicts.values_list("session_id", "rule"):
        rules.setdefault(session, []).append(rule)
    return {session: "|".join(names) for session, names in rules.items()}


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
