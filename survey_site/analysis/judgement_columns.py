"""The columns of judgements.csv: what simulated observers chose, beside people's responses."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from survey_site.analysis.columns import Column


class JudgementFields(NamedTuple):
    """One judgement of one observer about one reference of one trial."""

    study: str
    study_version: int
    condition: str
    kind: str
    trial: UUID
    reference: UUID
    reference_place: int
    observer: str
    observer_version: str
    weights_sha256: str
    option: UUID | None
    n_nearest: int
    credit: float | None
    distances: list[float | None]


JUDGEMENT_COLUMNS: tuple[Column[JudgementFields], ...] = (
    Column("study", "text", "Slug of the study.", lambda j: j.study),
    Column("study_version", "integer", "Version whose trial it is.", lambda j: j.study_version),
    Column("condition", "text", "Slug of the condition, as in the responses.", lambda j: j.condition),
    Column("kind", "text", "Of the trial; as in the responses.", lambda j: j.kind),
    Column("trial_id", "id", "Id of the trial, as in the responses.", lambda j: j.trial),
    Column("reference_id", "id", "Id of the reference, as in the responses.", lambda j: j.reference),
    Column("reference_index", "integer", "Place of the reference in its trial.", lambda j: j.reference_place),
    Column("observer", "text", "`lpips-alex`, `ssim` ..., or `network:SLUG:LAYER`.", lambda j: j.observer),
    Column("observer_version", "text", "Of the code that judged.", lambda j: j.observer_version),
    Column("weights_sha256", "id", "Of its weights; empty without any.", lambda j: j.weights_sha256),
    Column("option_id", "id", "The nearest option; empty where it is a tie.", lambda j: j.option),
    Column("n_nearest", "integer", "1: a choice; more: a tie; 0: no number.", lambda j: j.n_nearest),
    Column(
        "credit",
        "number",
        "1 right, 0 wrong, 1/m for a tie of m options with the right one.",
        lambda j: j.credit,
    ),
    Column(
        "distances",
        "text",
        "From the reference to each option, by option index, joined by `|`; empty where there is no number.",
        lambda j: "|".join("" if distance is None else repr(distance) for distance in j.distances),
    ),
)
