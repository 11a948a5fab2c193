"""What the results page shows of one study in one mode."""

from __future__ import annotations

from typing import Any

from django.db.models import Avg, Count, F, Q

from survey_site.analysis import plots
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.services import score_study
from survey_site.participation.models import Mode, Response, SessionState, StudySession
from survey_site.studies.models import Study, TrialKind

INTERVALS = ["twoway", "cluster", "bootstrap", "crossed", "wilson", "clopper_pearson"]


def results_of(study: Study, mode: str) -> dict[str, Any]:
    """Scores computed now from the stored responses, the figure, and who took part."""
    scores = score_study(study, mode)
    return {
        "study": study,
        "mode": mode,
        "modes": Mode.choices,
        "version": study.current_version,
        "rows": [_row(score) for score in _with_pairs(study, mode)],
        "figure": plots.forest_svg(scores) if scores else "",
        "sessions": session_counts(study, mode),
        "catch": catch_rate(study, mode),
        "settings": scores[0].settings if scores else None,
    }


def _with_pairs(study: Study, mode: str) -> list[AlignmentScore]:
    return list(AlignmentScore.objects.of_study(study, mode).with_pairs())


def _row(score: AlignmentScore) -> dict[str, Any]:
    return {"score": score, "intervals": [(name, score.interval(name)) for name in INTERVALS]}


def session_counts(study: Study, mode: str) -> dict[str, Any]:
    """How many sessions started, run and finished, and the mean minutes of the finished ones."""
    sessions = StudySession.objects.filter(study=study, mode=mode)
    counts = sessions.aggregate(
        started=Count("pk"),
        active=Count("pk", filter=Q(state__in=[SessionState.CONSENTED, SessionState.RUNNING])),
        finished=Count("pk", filter=Q(state=SessionState.FINISHED)),
        refused=Count("pk", filter=Q(state=SessionState.REFUSED)),
        duration=Avg(F("finished_at") - F("consented_at")),
    )
    duration = counts.pop("duration")
    return {**counts, "minutes": duration.total_seconds() / 60 if duration else None}


def catch_rate(study: Study, mode: str) -> float | None:
    """Share of catch trials answered correctly; None without any."""
    counts = (
        Response.objects.of_study(study, mode)
        .filter(presentation__trial__kind=TrialKind.CATCH, option__isnull=False)
        .aggregate(n=Count("pk"), right=Count("pk", filter=Q(option=F("reference__answer"))))
    )
    return counts["right"] / counts["n"] if counts["n"] else None
