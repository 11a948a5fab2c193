"""All statistics of a study from its stored responses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction

from survey_site.analysis.condition_columns import condition_cells
from survey_site.analysis.exclusion_services import (
    Decision,
    decide_sessions,
    save_verdicts,
    unfinished_sessions,
)
from survey_site.analysis.exclusions import flow
from survey_site.analysis.exporting.conditions import condition_facts
from survey_site.analysis.methods_text import methods_paragraph
from survey_site.analysis.models import AlignmentScore
from survey_site.analysis.observer_report import observer_report
from survey_site.analysis.report import ReportSettings, alignment_report
from survey_site.analysis.response_rows import response_rows, with_exclusions
from survey_site.analysis.responses import ResponseRow, answer_table, is_scored
from survey_site.analysis.score_settings import ScoreSettings
from survey_site.analysis.session_counts import session_counts
from survey_site.analysis.versions import versions
from survey_site.studies.exclusion_rules import Rule
from survey_site.studies.models import Study, StudyVersion


def alignment_of(
    study: Study,
    mode: str,
    *,
    version: StudyVersion | None = None,
    settings: ReportSettings | None = None,
    instead: Sequence[Rule] | None = None,
) -> dict[str, Any]:
    """All statistics of a study as JSON (`report.alignment_report`), with exclusions, versions and seeds.

    `mode` is `real` or `pilot`; a `version` restricts the responses to its own. Sessions of all versions are
    held to their exclusion rules and the verdicts saved, unless `instead` gives other rules to try.
    """
    rows = response_rows(study, mode)
    decision = decide_sessions(study, mode, rows, instead=instead)
    if instead is None:
        save_verdicts(study, mode, decision)
    rows = with_exclusions(rows, {verdict.session for verdict in decision.verdicts})
    if version is not None:
        rows = [row for row in rows if decision.version_of[row.session] == version.number]
    report = {
        "study": study.slug,
        "study_version": version.number if version else None,
        "study_versions": _answered_versions(study, rows, decision),
        "mode": mode,
        "versions": versions(),
        "sessions": session_counts(study, mode, version),
        "exclusions": _exclusions(rows, decision),
        "unfinished": _unfinished(rows, unfinished_sessions(study, mode)),
        **alignment_report(
            rows, conditions=condition_cells(condition_facts(version or study)), settings=settings
        ),
    }
    report["observers"] = observer_report(
        study,
        report["scores"],
        answer_table(row for row in rows if not row.excluded_by),
        version=version,
        settings=(settings or ReportSettings()).score,
    )
    return {**report, "methods": methods_paragraph(report)}


def score_study(
    study: Study,
    mode: str,
    *,
    version: StudyVersion | None = None,
    settings: ScoreSettings | None = None,
) -> list[AlignmentScore]:
    """Score every condition with an answered main trial, save the scores and return them by condition slug.

    Everything else that `alignment_of` does comes with it.
    """
    wanted = ReportSettings(score=settings) if settings else None
    report = alignment_of(study, mode, version=version, settings=wanted)
    return save_scores(study, mode, report, version=version)


def save_scores(
    study: Study, mode: str, report: dict[str, Any], *, version: StudyVersion | None = None
) -> list[AlignmentScore]:
    """Keep the scores of a report of `alignment_of`, and return them by condition slug.

    Scores saved before are replaced, and those of conditions that no longer have a response are deleted. A
    score that leaves somebody out carries the figures with everybody beside.
    """
    without = {score["condition"]: score for score in report["scores_without_exclusions"]}
    excluded = report["exclusions"]["flow"]["assessed"] - report["exclusions"]["flow"]["kept"]
    conditions = {condition.slug: condition for condition in study.conditions.with_pairs()}
    with transaction.atomic():
        saved = [
            AlignmentScore.objects.update_or_create(
                condition=conditions[score["condition"]],
                version=version,
                mode=mode,
                defaults={
                    **_saved_fields(score, report),
                    "chance": score["chance"] or conditions[score["condition"]].chance,
                    "exclusions": {
                        "rules": report["exclusions"]["rules"],
                        "n_participants": excluded,
                        "without": without[score["condition"]] if excluded else None,
                    },
                },
            )[0]
            for score in report["scores"]
        ]
        kept = [score.pk for score in saved]
        AlignmentScore.objects.of_study(study, mode, version).exclude(pk__in=kept).delete()
    return saved


def _saved_fields(score: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    same = ("n", "hits", "n_participants", "n_items", "participant_mean", "item_mean", "d_prime", "intervals")
    return {
        **{name: score[name] for name in same},
        "estimate": score["score"],
        "settings": {name: report["settings"][name] for name in ("confidence", "replicates", "rng_seed")},
        "versions": report["versions"],
    }


def _answered_versions(study: Study, rows: Sequence[ResponseRow], decision: Decision) -> list[dict[str, Any]]:
    """The frozen versions that `rows` answer, by number and hash."""
    numbers = {decision.version_of[session] for session in {row.session for row in rows}}
    found = study.versions.filter(number__in=numbers).order_by("number").values_list("number", "sha256")
    return [{"number": number, "sha256": sha256} for number, sha256 in found]


def _exclusions(rows: Sequence[ResponseRow], decision: Decision) -> dict[str, Any]:
    """Rules, the flow of the sessions that answered, and every verdict against one of them.

    `rules_by_version` is there only where versions were held to different rules.
    """
    sessions = list(dict.fromkeys(row.session for row in rows))
    assessed = set(sessions)
    verdicts = [verdict for verdict in decision.verdicts if verdict.session in assessed]
    said: dict[str, Any] = {
        "rules": [rule.to_dict() for rule in decision.rules],
        "flow": asdict(flow(sessions, verdicts, decision.rules)),
        "sessions": [asdict(verdict) for verdict in verdicts],
    }
    by_version = decision.rules_by_version
    if len({str(rules) for rules in by_version.values()}) > 1:
        said["rules_by_version"] = {
            number: [rule.to_dict() for rule in rules] for number, rules in by_version.items()
        }
    return said


def _unfinished(rows: Sequence[ResponseRow], unfinished: set[str]) -> dict[str, int]:
    """Scored answers of sessions that have not come to their end, and how many such sessions they are of."""
    counts = Counter(
        row.session for row in rows if row.session in unfinished and is_scored(row) and not row.excluded_by
    )
    return {"sessions": len(counts), "responses": counts.total()}
