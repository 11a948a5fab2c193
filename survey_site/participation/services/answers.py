"""What an answer must fit: the trial that was shown, its options as they lay, and the study's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar
from uuid import UUID

from survey_site.participation.errors import ParticipationError
from survey_site.participation.log_body import ResponsePayload
from survey_site.participation.services.log_store import NewResponse
from survey_site.participation.services.reaction_times import check_reaction_time
from survey_site.studies.frozen import FrozenTrial, frozen_settings, frozen_trial
from survey_site.studies.models import TrialFormat


class Presented(Protocol):
    """A presentation: which trial, and its options' indices in the order shown."""

    @property
    def pk(self) -> UUID: ...

    @property
    def trial_id(self) -> UUID: ...

    @property
    def option_order(self) -> list[int]: ...


AnyPresented = TypeVar("AnyPresented", bound=Presented)


def presentation_of(shown: Mapping[UUID, AnyPresented], response: ResponsePayload, seq: int) -> AnyPresented:
    """The one that is answered. Raises ParticipationError where it is none of the session's, `shown`."""
    if response.presentation not in shown:
        raise ParticipationError(
            "unknown_presentation",
            f"presentation {str(response.presentation)!r} is not of this session",
            seq=seq,
        )
    return shown[response.presentation]


def responses_of(response: ResponsePayload, shown: Presented, version_id: int, seq: int) -> list[NewResponse]:
    """A row for each reference of the presentation that is answered; `seq`: of the log's entry.

    Raises ParticipationError where the answer does not fit.
    """
    answers = _answers(response, shown, seq)
    settings = frozen_settings(version_id)
    check_reaction_time(response, settings["time_limit_ms"], seq)
    _check_confidence(response, settings["confidence_levels"], seq)
    return [
        NewResponse(
            seq=seq,
            presentation_id=shown.pk,
            reference_id=reference,
            option_id=option,
            rt=response.rt,
            rt_raw_ms=response.rt_raw_ms,
            onset_frame_ms=response.onset_frame_ms,
            time_elapsed=response.time_elapsed,
            trial_type=response.trial_type,
            trial_index=response.trial_index,
            input=response.input or "",
            refresh_hz=response.refresh_hz,
            frames_dropped=response.frames_dropped,
            focus_lost=response.focus_lost,
            timed_out=response.timed_out,
            confidence=response.confidence,
        )
        for reference, option in answers
    ]


def _answers(response: ResponsePayload, presentation: Presented, seq: int) -> list[tuple[UUID, UUID | None]]:
    """Keys of reference and chosen option."""
    trial = frozen_trial(presentation.trial_id)
    asked = [answer.reference for answer in response.answers]
    if sorted(asked) != sorted(trial.references):
        raise ParticipationError(
            "invalid_reference",
            f"answers are for references {sorted(asked)}; wanted: one each for {sorted(trial.references)}",
            seq=seq,
        )
    chosen = [answer.option for answer in response.answers if answer.option is not None]
    if trial.format == TrialFormat.MATCHING and len(set(chosen)) < len(chosen):
        raise ParticipationError(
            "invalid_option", f"options are {chosen}; in matching each is chosen once", seq=seq
        )
    return [
        (
            trial.references[answer.reference],
            _option(answer.option, response, presentation.option_order, trial, seq),
        )
        for answer in response.answers
    ]


def _option(
    position: int | None, response: ResponsePayload, order: list[int], trial: FrozenTrial, seq: int
) -> UUID | None:
    if position is None:
        if not response.timed_out:
            raise ParticipationError(
                "invalid_option", "an answer without an option is allowed only when timed_out", seq=seq
            )
        return None
    if not 0 <= position < len(order):
        raise ParticipationError(
            "invalid_option", f"option is {position}; allowed: 0 to {len(order) - 1}", seq=seq
        )
    return trial.options[order[position]]


def _check_confidence(response: ResponsePayload, levels: int | None, seq: int) -> None:
    """Rated with every choice where the study asks for it, and never where it does not."""
    given = response.confidence
    has_chosen = any(answer.option is not None for answer in response.answers)
    allowed = [*range(1, levels + 1)] if levels and has_chosen else [None]
    if given not in allowed:
        raise ParticipationError(
            "invalid_confidence",
            f"confidence is {given}; allowed here: {', '.join(map(str, allowed))}",
            seq=seq,
        )
