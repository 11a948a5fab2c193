"""What the live page shows of one study in one mode: figures of this moment, and scores as stored last."""

from __future__ import annotations

from typing import Any

from survey_site.access.roles import Role, may
from survey_site.analysis.balance import Balance, balance_of
from survey_site.analysis.condition_labels import condition_labels
from survey_site.analysis.live_counts import MINUTES, live_counts, responses_per_minute
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.results import stored_results
from survey_site.participation.models import Mode, Payment
from survey_site.studies.models import Condition, Study, StudyStatus, StudyVersion
from survey_site.studies.money import as_text

#: Of the small chart, in its own units.
BAR_WIDTH, CHART_HEIGHT = 8, 64


def live_of(study: Study, mode: str, user: Any) -> dict[str, Any]:
    """Everything on the page but the table of sessions."""
    version, counts = study.current_version, live_counts(study, mode)
    settings = version.settings if version else {}
    return {
        "study": study,
        "mode": mode,
        "modes": Mode.choices,
        "version": version,
        "counts": counts,
        "progress": _progress(counts, settings.get("quota") if mode == Mode.REAL else None),
        "preregistration_url": web_address(settings.get("preregistration_url")),
        "is_over": study.status == StudyStatus.CLOSED,
        "rate": _chart(responses_per_minute(study, mode)),
        "balance": _balance(study, version, mode),
        "scores": _scores(study, mode),
        "results": stored_results(study, mode),
        "pay": _pay(study) if mode == Mode.REAL else [],
        "may_edit": may(user, Role.EDITOR, study),
        "may_exclude": may(user, Role.ANALYST, study),
        "may_export_pay": may(user, Role.OWNER, study),
    }


def web_address(given: object) -> str:
    """The address if a page may link to it."""
    return given if isinstance(given, str) and given.startswith(("https://", "http://")) else ""


def _progress(counts: dict[str, Any], quota: int | None) -> dict[str, Any]:
    finished, active = counts["finished"], counts["active"] + counts["away"]
    return {
        "quota": quota,
        "finished": finished,
        "share": min(finished / quota, 1) if quota else None,
        "is_full": quota is not None and finished + active >= quota,
    }


def _chart(rate: list[int]) -> dict[str, Any]:
    """Bars of a chart: place, top, height and what is said of each."""
    most = max(rate)
    bars = []
    for place, n in enumerate(rate):
        height = round(CHART_HEIGHT * n / most, 1) if most else 0
        ago = MINUTES - 1 - place
        said = "this minute" if ago == 0 else f"{ago} min ago"
        bar = {"x": place * BAR_WIDTH, "y": CHART_HEIGHT - height, "height": height}
        bars.append({**bar, "said": said, "n": n})
    return {
        "bars": bars,
        "most": most,
        "total": sum(rate),
        "width": BAR_WIDTH * MINUTES,
        "height": CHART_HEIGHT,
        "bar_width": BAR_WIDTH - 2,
        "last_five": sum(rate[-6:-1]) / 5,
    }


def _balance(study: Study, version: StudyVersion | None, mode: str) -> dict[str, Any] | None:
    if version is None:
        return None
    balance: Balance = balance_of(version, mode)
    labels = _labels(study)
    return {
        "least": balance.least,
        "most": balance.most,
        "rows": [{"label": labels[row.condition], "row": row} for row in balance.conditions],
    }


def _labels(study: Study) -> dict[str, str]:
    return condition_labels(list(Condition.objects.with_pairs().filter(study=study)))


def _scores(study: Study, mode: str) -> list[dict[str, Any]]:
    """As stored last, over all versions, in the order of the balance."""
    labels = _labels(study)
    scores = AlignmentScore.objects.of_study(study, mode).select_related("condition")
    return [
        {"label": labels[score.condition.slug], "score": score, "interval": score.interval()}
        for score in scores.order_by("condition__slug")
    ]


def _pay(study: Study) -> list[dict[str, Any]]:
    return [
        {"state": state, "n": n, "amount": as_text(minor, currency)}
        for currency, state, n, minor in Payment.objects.filter(study=study).totals()
    ]
