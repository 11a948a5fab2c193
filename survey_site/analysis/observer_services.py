"""People and simulated observers side by side, from what is stored.

for comparison in compare_observers(study, "real"):
    comparison.label, comparison.pearson, [(score.condition, score.people, score.observer) ...]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import Avg, Count, Q

from survey_site.analysis.answers import ScoringError
from survey_site.analysis.correlation import Correlation, pearson, spearman
from survey_site.analysis.models import (
    AlignmentScore,
    Observation,
    ObservationState,
    ObservedCondition,
    ObserverJudgement,
)
from survey_site.analysis.observer_names import label
from survey_site.studies.models import Condition, Shows, Study, StudyVersion


@dataclass(frozen=True, kw_only=True)
class TransferFigures:
    """How alike a network's layer finds targets and IRIs (STIR, Nanda et al. 2022).

    stir, stir_start: linear CKA of targets with IRIs and with start images, 0 to 1, None where undefined.
    cosine: mean cosine of a target's and its IRI's responses. n: targets.
    """

    stir: float | None
    stir_start: float | None
    cosine: float
    n: int


@dataclass(frozen=True, kw_only=True)
class PeopleScore:
    """A condition's score by people: estimate, default interval, responses and participants."""

    estimate: float
    low: float
    high: float
    n: int
    n_participants: int


@dataclass(frozen=True, kw_only=True)
class ObservedScore:
    """One condition as people and as one observer scored it.

    people: the stored score with its default interval, None before anybody answered. observer: mean credit
    over references of main trials, ties one half (1/m among m), None without a judgement. n_trials: how many
    it judged; n_ties and n_undefined of them. nearer_target: share of the IRIs nearer to target than to start
    (ties one half), the paper's measure, whatever the trials showed; n_iris, n_iris_tied. is_control: the
    score follows by construction, so it is left out of the correlations. transfer: of networks only.
    """

    condition: str
    is_control: bool
    people: float | None
    people_low: float | None
    people_high: float | None
    n_responses: int
    n_participants: int
    observer: float | None
    n_trials: int
    n_ties: int
    n_undefined: int
    nearer_target: float | None
    n_iris: int
    n_iris_tied: int
    transfer: TransferFigures | None


@dataclass(frozen=True, kw_only=True)
class ObserverComparison:
    """One observer against people over the conditions of a study.

    state: waiting, running, done or unavailable, with the reason. pearson, spearman: over the conditions that
    both scored, controls left out; None with `why_not` saying why there are none. not_judged: main references
    that it has not judged, because they are new or because their options are words.
    """

    observer: str
    label: str
    state: str
    reason: str
    version: str
    weights_sha256: str
    is_network: bool
    scores: tuple[ObservedScore, ...]
    not_judged: int
    pearson: Correlation | None
    spearman: Correlation | None
    why_not: str

    @property
    def is_available(self) -> bool:
        return self.state != ObservationState.UNAVAILABLE

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare_observers(
    study: Study, mode: str, *, version: StudyVersion | None = None, confidence: float = 0.95
) -> list[ObserverComparison]:
    """Every observer that was asked about the study, by name; scores of people as `score_study` stored them.

    A `version` restricts people's scores and judgements to its own; IRIs are compared over all versions.
    """
    stored = AlignmentScore.objects.of_study(study, mode, version).select_related("condition")
    people = {
        score.condition.slug: PeopleScore(
            estimate=score.estimate,
            low=score.interval().low,
            high=score.interval().high,
            n=score.n,
            n_participants=score.n_participants,
        )
        for score in stored
    }
    return compare_with(study, people, version=version, confidence=confidence)


def compare_with(
    study: Study,
    people: Mapping[str, PeopleScore],
    *,
    version: StudyVersion | None = None,
    confidence: float = 0.95,
) -> list[ObserverComparison]:
    """As `compare_observers`, with people's scores by slug of their condition."""
    conditions = list(study.conditions.order_by("slug"))
    return [
        _comparison(observation, conditions, people, version, confidence)
        for observation in study.observations.prefetch_related("conditions")
    ]


def credits_of(observation: Observation, version: StudyVersion | None = None) -> dict[str, float]:
    """By trial (its id) the mean credit over its references; trials without a judgement are not there."""
    rows = (
        _judgements(observation, version)
        .filter(credit__isnull=False)
        .order_by()
        .values("trial")
        .annotate(mean=Avg("credit"))
    )
    return {str(row["trial"]): row["mean"] for row in rows}


def _comparison(
    observation: Observation,
    conditions: Sequence[Condition],
    people: Mapping[str, PeopleScore],
    version: StudyVersion | None,
    confidence: float,
) -> ObserverComparison:
    judged = _judged_by_condition(observation, version)
    observed = {row.condition_id: row for row in observation.conditions.all()}
    scores = tuple(
        _score(condition, people.get(condition.slug), judged.get(condition.pk), observed.get(condition.pk))
        for condition in conditions
    )
    both = [
        (score.people, score.observer)
        for score in scores
        if not score.is_control and score.people is not None and score.observer is not None
    ]
    correlations, why_not = _correlations(both, confidence)
    return ObserverComparison(
        observer=observation.observer,
        label=label(observation.observer),
        state=observation.state,
        reason=observation.reason,
        version=observation.version,
        weights_sha256=observation.weights_sha256,
        is_network=observation.layer_id is not None,
        scores=scores,
        not_judged=_references(observation, version) - sum(score.n_trials for score in scores),
        pearson=correlations[0],
        spearman=correlations[1],
        why_not=why_not,
    )


def _judgements(observation: Observation, version: StudyVersion | None) -> Any:
    """Those of the version and weights that judged last."""
    found = ObserverJudgement.objects.filter(
        observer=observation.observer,
        version=observation.version,
        weights_sha256=observation.weights_sha256,
        trial__version__study=observation.study_id,
    )
    return found if version is None else found.filter(trial__version=version)


def _judged_by_condition(observation: Observation, version: StudyVersion | None) -> dict[int, dict[str, Any]]:
    rows = (
        _judgements(observation, version)
        .order_by()
        .values("trial__condition")
        .annotate(
            score=Avg("credit"),
            n=Count("pk"),
            ties=Count("pk", filter=Q(n_nearest__gt=1)),
            undefined=Count("pk", filter=Q(n_nearest=0)),
        )
    )
    return {row["trial__condition"]: row for row in rows}


def _references(observation: Observation, version: StudyVersion | None) -> int:
    versions = StudyVersion.objects.filter(study=observation.study_id)
    if version is not None:
        versions = versions.filter(pk=version.pk)
    return versions.aggregate(n=Count("trials__references", filter=Q(trials__kind="main")))["n"]


def _score(
    condition: Condition,
    people: PeopleScore | None,
    judged: dict[str, Any] | None,
    observed: ObservedCondition | None,
) -> ObservedScore:
    n_iris = observed.n_iris if observed else 0
    return ObservedScore(
        condition=condition.slug,
        is_control=condition.shows != Shows.IRI,
        people=people.estimate if people else None,
        people_low=people.low if people else None,
        people_high=people.high if people else None,
        n_responses=people.n if people else 0,
        n_participants=people.n_participants if people else 0,
        observer=judged["score"] if judged else None,
        n_trials=judged["n"] if judged else 0,
        n_ties=judged["ties"] if judged else 0,
        n_undefined=judged["undefined"] if judged else 0,
        nearer_target=(observed.n_nearer_target + observed.n_tied / 2) / n_iris
        if observed and n_iris
        else None,
        n_iris=n_iris,
        n_iris_tied=observed.n_tied if observed else 0,
        transfer=_transfer(observed.transfer) if observed and observed.transfer else None,
    )


def _transfer(stored: dict[str, Any]) -> TransferFigures:
    return TransferFigures(
        stir=stored["stir"], stir_start=stored["stir_start"], cosine=stored["cosine"], n=stored["n"]
    )


Pair = tuple[float, float]


def _correlations(
    both: Iterable[Pair], confidence: float
) -> tuple[tuple[Correlation | None, Correlation | None], str]:
    x, y = [list(side) for side in zip(*both, strict=True)] or [[], []]
    try:
        return (pearson(x, y, confidence), spearman(x, y, confidence)), ""
    except ScoringError as error:
        return (None, None), str(error)
