"""What keeps a study from opening: parts that are missing, and plans whose answers could not be analysed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from survey_site.stimuli.models import IRIStatus
from survey_site.studies import design, formats
from survey_site.studies.models import Condition, Study
from survey_site.studies.money import MoneyError, minor_units
from survey_site.studies.planned import ConditionPlan, DesignError
from survey_site.studies.plans import plan_condition, planned_counts, session_plan
from survey_site.studies.questionnaire import fault_of

FEWEST_TRIALS = 2  # of a condition


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
    missing = _missing_in_questions(study) + _missing_in_pay(study)
    return missing + plan_faults(study, planned_counts(study))


def plan_faults(study: Study, counts: Mapping[str, int]) -> list[str]:
    """Why sessions of this plan could not be analysed or held, one sentence each."""
    missing = []
    if study.practice_pass > study.n_practice:
        missing.append(
            f"{study.practice_pass} right answers are needed of {study.n_practice} practice trials"
        )
    if study.failed_check_code and study.catch_pass > study.n_catch:
        missing.append(f"{study.catch_pass} right answers are needed of {study.n_catch} catch trials")
    if study.n_catch > counts["per_participant"]:
        share = study.n_catch / (study.n_catch + counts["per_participant"])
        missing.append(
            f"{study.n_catch} catch trials and {counts['per_participant']} main trials a participant: "
            f"{share:.0%} would be catch trials, which no score counts; at most half may be"
        )
    try:
        design.check_repeats(counts["main"], session_plan(study))
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
    fault = condition_fault(plan_condition(condition))
    return [f"condition {condition.slug}: {fault}"] if fault else []


def condition_fault(plan: ConditionPlan) -> str | None:
    """Why the condition's trials cannot be made or make no score, or None."""
    return formats.fault_of(plan) or _too_few(plan)


def _too_few(plan: ConditionPlan) -> str | None:
    """A score says something of a layer only if more than one picture was asked about."""
    trials = len(formats.main_trials(plan, seed=0))
    if trials >= FEWEST_TRIALS:
        return None
    return f"{trials} trial makes no score that holds for other pictures; at least {FEWEST_TRIALS} are needed"


def _sizes(condition: Condition) -> set[int]:
    return set(condition.usable_iris().values_list("image__width", flat=True))
