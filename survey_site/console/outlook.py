"""What a study's plan comes to, before it opens: trials, minutes, and how sure its scores will be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from survey_site.analysis.planned_power import ExpectedInterval, expected_interval, is_too_large
from survey_site.analysis.sample_size import PilotEffects
from survey_site.studies import design, formats
from survey_site.studies.durations import Asked, expected_minutes
from survey_site.studies.models import Study
from survey_site.studies.planned import ConditionPlan
from survey_site.studies.plans import counts_of
from survey_site.studies.readiness import condition_fault, plan_faults


@dataclass(frozen=True)
class ConditionOutlook:
    """`per_person`: main trials of it that one participant sees, on average."""

    name: str
    trials: int
    per_person: float
    fault: str | None
    expected: ExpectedInterval | None
    is_new: bool = False


@dataclass(frozen=True)
class Outlook:
    """Of one session: `main` + `again` + `catch` trials in `blocks`, after `practice` ones."""

    conditions: list[ConditionOutlook]
    total: int
    main: int
    again: int
    catch: int
    practice: int
    blocks: int
    breaks: int
    minutes: float
    balanced_at: int
    left_over: int
    faults: list[str] = field(default_factory=list)

    @property
    def trials(self) -> int:
        return self.main + self.again + self.catch

    @property
    def catch_share(self) -> float:
        return 100 * self.catch / self.trials if self.trials else 0.0


def outlook_of(
    study: Study,
    plans: Sequence[tuple[ConditionPlan, bool]],
    *,
    participants: int,
    effects: PilotEffects,
    n_questions: int = 0,
) -> Outlook:
    """`study` carries the plan's settings, saved or not; `plans` are conditions, and whether each is new."""
    faults = [condition_fault(plan) for plan, _ in plans]
    trials = [
        0 if fault else len(formats.main_trials(plan, seed=study.rng_seed))
        for (plan, _), fault in zip(plans, faults, strict=True)
    ]
    counts = counts_of(study, [plan for (plan, _), fault in zip(plans, faults, strict=True) if not fault])
    total, main = counts["main"], counts["per_participant"]
    again = min(counts["repeats"], main)
    breaks = _blocks(main + again + counts["catch"], study.break_every) - 1
    seen = _seen(total, study, participants)
    firsts = np.cumsum([0, *trials])
    expected = _by_size(trials, plans, firsts, seen, effects)
    return Outlook(
        conditions=[
            ConditionOutlook(
                name=plan.slug,
                trials=n,
                per_person=n * main / total if total else 0.0,
                fault=fault,
                expected=expected.get((n, plan.n_options)),
                is_new=is_new,
            )
            for (plan, is_new), n, fault in zip(plans, trials, faults, strict=True)
        ],
        total=total,
        main=main,
        again=again,
        catch=counts["catch"],
        practice=counts["practice"],
        blocks=breaks + 1,
        breaks=breaks,
        minutes=_minutes(study, plans, trials, main, again, breaks, counts, n_questions),
        balanced_at=_balanced_at(plans, trials, study, total),
        left_over=counts["left_over"],
        faults=plan_faults(study, counts) if total else [],
    )


def _blocks(shown: int, break_every: int) -> int:
    return max(1, ceil(shown / break_every)) if break_every else 1


def _balanced_at(
    plans: Sequence[tuple[ConditionPlan, bool]], trials: Sequence[int], study: Study, total: int
) -> int:
    if not total:
        return 0
    places = [
        formats.n_places(plan.format, plan.n_options) for (plan, _), n in zip(plans, trials, strict=True) if n
    ]
    return design.n_slots(total, study.trials_per_participant, int(np.lcm.reduce(places)))


def _minutes(
    study: Study,
    plans: Sequence[tuple[ConditionPlan, bool]],
    trials: Sequence[int],
    main: int,
    again: int,
    breaks: int,
    counts: dict[str, int],
    n_questions: int,
) -> float:
    total = sum(trials)
    by_format: Counter[str] = Counter()
    for (plan, _), n in zip(plans, trials, strict=True):
        by_format[plan.format] += n
    return expected_minutes(
        Asked(
            main={name: n * main / total for name, n in by_format.items() if n},
            again=again,
            catch=counts["catch"],
            practice=counts["practice"],
            breaks=breaks,
            questions=n_questions,
            before_ms=study.fixation_ms
            + (study.reference_ms + study.mask_ms if study.reference_ms is not None else 0),
            time_limit_ms=study.time_limit_ms,
            with_confidence=study.confidence_levels is not None,
        )
    )


def _seen(total: int, study: Study, participants: int) -> NDArray[np.bool_]:
    """(participants, main trials): who is shown which, in the slots that people are given in turn."""
    seen = np.zeros((participants, total), dtype=bool)
    if not total:
        return seen
    lists = design.shown_in_slots(
        total, study.trials_per_participant, slots=participants, seed=study.rng_seed
    )
    for person, shown in enumerate(lists):
        seen[person, shown] = True
    return seen


def _by_size(
    trials: Sequence[int],
    plans: Sequence[tuple[ConditionPlan, bool]],
    firsts: NDArray[np.int64],
    seen: NDArray[np.bool_],
    effects: PilotEffects,
) -> dict[tuple[int, int], ExpectedInterval]:
    """Conditions of one size and chance are expected alike, so that one of each is simulated."""
    found: dict[tuple[int, int], ExpectedInterval] = {}
    for (plan, _), n, first in zip(plans, trials, firsts, strict=False):
        key = (n, plan.n_options)
        shown = seen[:, first : first + n]
        is_enough = min(shown.any(axis=1).sum(), shown.any(axis=0).sum()) >= 2
        if key not in found and is_enough and not is_too_large(shown):
            found[key] = _simulated(effects, shown.shape, np.packbits(shown).tobytes(), 1 / plan.n_options)
    return found


@lru_cache(maxsize=100)
def _simulated(
    effects: PilotEffects, shape: tuple[int, int], shown: bytes, chance: float
) -> ExpectedInterval:
    """Kept, since a look at another number asks for most of them again."""
    bits = np.unpackbits(np.frombuffer(shown, dtype=np.uint8), count=shape[0] * shape[1])
    return expected_interval(effects, bits.reshape(shape).astype(bool), against=chance)
