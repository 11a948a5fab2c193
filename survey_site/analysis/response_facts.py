"""What one row of the exported responses is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from uuid import UUID


class RecruiterIds(NamedTuple):
    """What a recruiter calls a session and its participant; empty where there is none."""

    recruiter_id_hash: str | None = None
    submission_id: str | None = None
    recruiter_study_id: str | None = None


NO_RECRUITER_IDS = RecruiterIds()


class TrialFacts(NamedTuple):
    """What all responses to one trial share; `options` are option ids by index."""

    id: str
    format: str
    kind: str
    condition: str
    network: str
    layer: str
    recipe: str
    options: tuple[str, ...]


class ReferenceFacts(NamedTuple):
    """`place` is its index in the trial, `answer` the option that answers it, `image` a sha256 or empty.

    What tells of an IRI is empty where the reference asks about none.
    """

    id: str
    place: int
    answer: int
    image: str
    iri_id: str = ""
    target_id: str = ""
    target_label: str = ""
    start_image: str = ""


class ResponseFields(NamedTuple):
    """What a response says by itself, with its presentation, session and log entry."""

    trial: UUID
    reference: UUID
    option: UUID | None
    presentation: UUID
    option_order: list[int]
    block: int
    attempt: int
    repeat_of: UUID | None
    session: UUID
    participant: UUID
    study: str
    study_version: int
    mode: str
    language: str
    recruiter: str
    session_rng_seed: int
    seq: int
    received_at: datetime
    rt: float | None
    rt_raw_ms: float | None
    onset_frame_ms: float | None
    time_elapsed: float | None
    trial_type: str
    trial_index: int | None
    input: str
    refresh_hz: float | None
    frames_dropped: int | None
    focus_lost: int | None
    timed_out: bool
    confidence: int | None


@dataclass(frozen=True)
class ExportRow:
    """One row of the responses: one answer about one reference of one presentation."""

    fields: ResponseFields
    trial: TrialFacts
    reference: ReferenceFacts
    excluded_by: str = ""
    recruiter_ids: RecruiterIds = NO_RECRUITER_IDS

    @cached_property
    def options_shown(self) -> list[str]:
        return [self.trial.options[index] for index in self.fields.option_order]

    @cached_property
    def chosen_position(self) -> int | None:
        chosen = self.fields.option
        return None if chosen is None else self.options_shown.index(str(chosen))

    @cached_property
    def answer_position(self) -> int:
        return self.fields.option_order.index(self.reference.answer)

    @cached_property
    def chose_target(self) -> bool | None:
        chosen = self.chosen_position
        return None if chosen is None else chosen == self.answer_position
