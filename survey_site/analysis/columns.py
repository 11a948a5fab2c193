"""The columns of the exported responses: header, rows and data dictionary all come from this one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from survey_site.analysis.csv_cells import escape

Cell = str | int | float | bool | datetime | UUID | None
Row = TypeVar("Row")


FORMATS: dict[str, Callable[[Any], str]] = {
    "text": lambda text: escape(str(text)),
    "text or number": lambda cell: escape(cell) if isinstance(cell, str) else str(cell),
    "integer": str,
    "number": str,
    "0 or 1": lambda truth: str(int(truth)),
    "UTC time": lambda time: time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
}


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column: its name, the type of its cells, what it means, and how a row answers it."""

    name: str
    type: str  # one of FORMATS
    description: str
    value: Callable[[Row], Cell]

    def cell(self, row: Row) -> str:
        """The cell as written: empty for None; only text is guarded against being run as a formula."""
        value = self.value(row)
        if value is None:
            return ""
        return FORMATS[self.type](value)


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


RESPONSE_COLUMNS: tuple[Column[ExportRow], ...] = (
    Column("trial_type", "text", "jsPsych's plugin that showed the trial.", lambda r: r.fields.trial_type),
    Column(
        "trial_index", "integer", "jsPsych's count of trials on the page.", lambda r: r.fields.trial_index
    ),
    Column(
        "time_elapsed",
        "number",
        "Milliseconds from the start of the experiment on the page to the end of the trial.",
        lambda r: r.fields.time_elapsed,
    ),
    Column(
        "rt",
        "number",
        "Reaction time in milliseconds, from the first animation frame after the one that made the images "
        "visible to the timestamp of the input event.",
        lambda r: r.fields.rt,
    ),
    Column(
        "response",
        "integer",
        "Place of the chosen option, counted from 0 in the order shown; empty if nothing was chosen.",
        lambda r: r.chosen_position,
    ),
    Column("stimulus", "text", "sha256 of the reference's image.", lambda r: r.reference.image),
    Column(
        "participant_id",
        "text",
        "Pseudonym of the participant; nothing of the recruiter's id is in it.",
        lambda r: r.fields.participant,
    ),
    Column("session_id", "text", "The run of the participant through the study.", lambda r: r.fields.session),
    Column("study", "text", "Slug of the study.", lambda r: r.fields.study),
    Column(
        "study_version",
        "integer",
        "Number of the frozen version that the session ran.",
        lambda r: r.fields.study_version,
    ),
    Column("mode", "text", "`real` or `pilot`.", lambda r: r.fields.mode),
    Column("language", "text", "Language of the page.", lambda r: r.fields.language),
    Column(
        "condition",
        "text",
        "Slug of the condition (pair, recipe and format) that the trial belongs to; empty for catch and "
        "practice trials. Its facts are in conditions.csv.",
        lambda r: r.trial.condition,
    ),
    Column("network", "text", "Slug of the network.", lambda r: r.trial.network),
    Column("layer", "text", "Name of the layer, as the library spells it.", lambda r: r.trial.layer),
    Column("recipe", "text", "Name of the recipe that made the IRI.", lambda r: r.trial.recipe),
    Column("iri_id", "text", "The IRI that the reference is about.", lambda r: r.reference.iri_id),
    Column("target_id", "text", "The target image that the IRI matches.", lambda r: r.reference.target_id),
    Column(
        "target_label", "text", "Label of the target in its image set.", lambda r: r.reference.target_label
    ),
    Column("start_image", "text", "sha256 of the IRI's start image.", lambda r: r.reference.start_image),
    Column("block", "integer", "Block of the session, counted from 0.", lambda r: r.fields.block),
    Column(
        "trial_id", "text", "The trial of the study version: the item of the score.", lambda r: r.trial.id
    ),
    Column(
        "trial_format",
        "text",
        "`two_afc`, `matching`, `classification` or `odd_one_out`.",
        lambda r: r.trial.format,
    ),
    Column(
        "trial_kind", "text", "`main`, `practice` or `catch`; only `main` is scored.", lambda r: r.trial.kind
    ),
    Column(
        "presentation_id",
        "text",
        "The showing of the trial in this session; with `reference_index` unique to the row.",
        lambda r: r.fields.presentation,
    ),
    Column(
        "attempt",
        "integer",
        "1, or more if an interrupted trial was asked again.",
        lambda r: r.fields.attempt,
    ),
    Column(
        "repeat_of",
        "text",
        "The `presentation_id` that this one repeats with sides swapped; empty if none.",
        lambda r: r.fields.repeat_of,
    ),
    Column(
        "reference_index",
        "integer",
        "Which of the trial's references the answer is about, counted from 0.",
        lambda r: r.reference.place,
    ),
    Column("reference", "text", "Id of the reference.", lambda r: r.reference.id),
    Column(
        "n_options",
        "integer",
        "Number of options offered; chance is 1 / n_options.",
        lambda r: len(r.trial.options),
    ),
    Column(
        "options",
        "text",
        "Ids of the options in the order shown, joined by `|`.",
        lambda r: "|".join(r.options_shown),
    ),
    Column(
        "answer_position",
        "integer",
        "Place of the option that answers the reference, counted from 0 in the order shown.",
        lambda r: r.answer_position,
    ),
    Column(
        "chose_target",
        "0 or 1",
        "1 if the chosen option answers the reference, 0 if not, empty if nothing was chosen.",
        lambda r: r.chose_target,
    ),
    Column("timed_out", "0 or 1", "1 if the time limit ended the trial.", lambda r: r.fields.timed_out),
    Column(
        "confidence", "integer", "Rated confidence; empty if it was not asked.", lambda r: r.fields.confidence
    ),
    Column(
        "rt_raw_ms", "number", "`rt` as the browser measured it, unrounded.", lambda r: r.fields.rt_raw_ms
    ),
    Column(
        "onset_frame_ms",
        "number",
        "Timestamp of the animation frame from which `rt` counts, in milliseconds since the page's own time "
        "origin.",
        lambda r: r.fields.onset_frame_ms,
    ),
    Column("input", "text", "`key`, `mouse` or `touch`.", lambda r: r.fields.input),
    Column("refresh_hz", "number", "Measured refresh rate of the display.", lambda r: r.fields.refresh_hz),
    Column(
        "frames_dropped",
        "integer",
        "Animation frames missed during the trial.",
        lambda r: r.fields.frames_dropped,
    ),
    Column(
        "focus_lost",
        "integer",
        "How often the page lost focus during the trial.",
        lambda r: r.fields.focus_lost,
    ),
    Column(
        "side_seed",
        "integer",
        "RNG seed of the session, from which order and sides follow.",
        lambda r: r.fields.session_rng_seed,
    ),
    Column(
        "client_seq",
        "integer",
        "Sequence number of the answer in the session's log.",
        lambda r: r.fields.seq,
    ),
    Column(
        "recruiter", "text", "`link`, or the service that sent the participant.", lambda r: r.fields.recruiter
    ),
    Column(
        "excluded_by",
        "text",
        "Exclusion rules that leave the row's session out, joined by `|`; empty if none.",
        lambda r: r.excluded_by,
    ),
    Column(
        "server_received_utc",
        "UTC time",
        "When the server stored the answer, ISO 8601.",
        lambda r: r.fields.received_at,
    ),
)
