"""Holding a study's sessions to its exclusion rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from survey_site.analysis.columns import ExportRow
from survey_site.analysis.exclusions import (
    ExclusionError,
    Flow,
    Researcher,
    Rule,
    Verdict,
    decide,
    flow,
    rules_from_json,
)
from survey_site.analysis.exports import export_rows
from survey_site.analysis.models import Exclusion, ExclusionRule
from survey_site.analysis.responses import ResponseRow, session_facts
from survey_site.participation.models import Presentation, Response, StudySession
from survey_site.studies.models import Study, StudyVersion, TrialKind


def set_rules(study: Study, text: str) -> list[Rule]:
    """Replace the study's rules by those of `text` (JSON, as `exclusions.rules_from_json` takes it).

    Decides nothing yet. The researcher's own exclusions are no setting: see `exclude_session`.
    """
    rules = rules_from_json(text)
    if any(rule.name == Researcher.name for rule in rules):
        raise ExclusionError("the researcher's exclusions are made one by one, each with its reason")
    with transaction.atomic():
        study.exclusion_rules.all().delete()
        for position, rule in enumerate(rules):
            ExclusionRule.objects.create(
                study=study, name=rule.name, position=position, settings=asdict(rule)
            )
    return rules


def exclude_session(session: StudySession, *, reason: str) -> Exclusion:
    """Leave one session out by a researcher's own decision; a reason is required. Again: replaces it."""
    Researcher(reasons={str(session.pk): reason})
    exclusion, _ = Exclusion.objects.update_or_create(
        session=session,
        rule=Researcher.name,
        defaults={"version": Researcher.version, "reason": reason},
    )
    return exclusion


def include_session(session: StudySession) -> None:
    """Take back a researcher's own decision; what other rules say stays."""
    session.exclusions.filter(rule=Researcher.name).delete()


def rules_of(study: Study, mode: str) -> list[Rule]:
    """The study's rules in order, then the researcher's own decisions as one more rule, if there are any."""
    rules = [row.as_rule() for row in study.exclusion_rules.all()]
    own = Exclusion.objects.of_study(study, mode).filter(rule=Researcher.name)
    reasons = {str(session): reason for session, reason in own.values_list("session_id", "reason")}
    return [*rules, Researcher(reasons=reasons)] if reasons else rules


def decide_exclusions(study: Study, mode: str, *, counted: StudyVersion | None = None) -> Flow:
    """Hold every session with a response to the study's rules, save the verdicts, and count them.

    Verdicts saved before are replaced, the researcher's own kept. Sessions of all versions are decided;
    `counted` restricts the counts to those of one version.
    """
    rules = rules_of(study, mode)
    saved = Exclusion.objects.of_study(study, mode).exclude(rule=Researcher.name)
    if not rules and not saved.exists():
        assessed = len(_assessed(study, mode, counted))
        return Flow(assessed=assessed, by_rule={}, any_rule={}, kept=assessed)
    facts = session_facts(response_rows(export_rows(study, mode)), expected=_expected(study, mode))
    verdicts = decide(facts, rules)
    with transaction.atomic():
        saved.delete()
        Exclusion.objects.bulk_create(_rows(verdicts, rules))
    sessions = set(_assessed(study, mode, counted))
    return flow(list(sessions), [verdict for verdict in verdicts if verdict.session in sessions], rules)


def response_rows(rows: Iterable[ExportRow]) -> Iterator[ResponseRow]:
    """What the statistics need of the rows of an export."""
    return (_response_row(row) for row in rows)


def excluded_participants(study: Study, mode: str, version: StudyVersion | None = None) -> set[str]:
    """Whose answers are left out; a participant has one session per study and mode."""
    verdicts = Exclusion.objects.of_study(study, mode, version)
    return {str(participant) for participant in verdicts.values_list("session__participant_id", flat=True)}


def _rows(verdicts: list[Verdict], rules: list[Rule]) -> list[Exclusion]:
    settings = {rule.name: asdict(rule) for rule in rules}
    return [
        Exclusion(
            session_id=verdict.session,
            rule=verdict.rule,
            version=verdict.version,
            settings=settings[verdict.rule],
            reason=verdict.reason,
        )
        for verdict in verdicts
        if verdict.rule != Researcher.name
    ]


def _assessed(study: Study, mode: str, version: StudyVersion | None) -> list[str]:
    """Sessions with a response."""
    sessions = StudySession.objects.filter(study=study, mode=mode)
    if version is not None:
        sessions = sessions.filter(version=version)
    answered = sessions.filter(Exists(Response.objects.filter(presentation__session=OuterRef("pk"))))
    return [str(session) for session in answered.order_by().values_list("pk", flat=True)]


def _expected(study: Study, mode: str) -> dict[str, int]:
    """Main presentations per session; one asked again after an interruption is one presentation."""
    shown = Presentation.objects.filter(session__study=study, session__mode=mode, trial__kind=TrialKind.MAIN)
    counts = shown.order_by().values_list("session_id").annotate(n=Count("pk"))
    return {str(session): n for session, n in counts}


def _response_row(row: ExportRow) -> ResponseRow:
    fields = row.fields
    return ResponseRow(
        participant=str(fields.participant),
        session=str(fields.session),
        condition=row.trial.condition,
        item=row.trial.id,
        reference=row.reference.place,
        kind=row.trial.kind,
        presentation=str(fields.presentation),
        repeat_of=str(fields.repeat_of or ""),
        choice=None if fields.option is None else str(fields.option),
        place=row.chosen_position,
        answer_place=row.answer_position,
        n_options=len(row.trial.options),
        trial_format=row.trial.format,
        is_correct=row.chose_target,
        rt=fields.rt,
        confidence=fields.confidence,
        focus_lost=fields.focus_lost,
        target_label=row.reference.target_label,
        excluded_by=row.excluded_by,
    )
