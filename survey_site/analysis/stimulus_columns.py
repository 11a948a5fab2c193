"""The columns of stimuli.csv: what every trial of the chosen versions shows, and where it comes from."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from survey_site.analysis.columns import Column


class StimulusFacts(NamedTuple):
    """A reference or an option of a trial; what tells of an IRI is there for references alone."""

    study: str
    study_version: int
    item: str
    trial: UUID
    trial_number: int
    trial_format: str
    trial_kind: str
    condition: str
    role: str
    place: int
    id: UUID
    answer: int | None
    label: str
    image: str
    file: str
    width: int | None
    height: int | None
    network: str = ""
    weights_sha256: str = ""
    layer: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    iri_id: UUID | None = None
    rng_seed: int | None = None
    target_id: UUID | None = None
    target_label: str = ""
    target_image: str = ""
    start_image: str = ""
    relative_error: float | None = None
    cosine: float | None = None
    passed: bool | None = None
    passed_reason: str = ""


STIMULUS_COLUMNS: tuple[Column[StimulusFacts], ...] = (
    Column("study", "text", "Slug of the study.", lambda s: s.study),
    Column("study_version", "integer", "Version whose trial it is.", lambda s: s.study_version),
    Column(
        "item",
        "text",
        "Stem of the columns in wide.csv that hold the answers about a reference; empty for options.",
        lambda s: s.item,
    ),
    Column("trial_id", "id", "Id of the trial, as in the responses.", lambda s: s.trial),
    Column("trial_number", "integer", "Place of the trial in the plan, from 0.", lambda s: s.trial_number),
    Column("trial_format", "text", "As in the responses.", lambda s: s.trial_format),
    Column("trial_kind", "text", "As in the responses.", lambda s: s.trial_kind),
    Column("condition", "text", "Slug of the condition, as in the responses.", lambda s: s.condition),
    Column("role", "text", "`reference` or `option`.", lambda s: s.role),
    Column("index", "integer", "Place among the trial's references or options, from 0.", lambda s: s.place),
    Column("stimulus_id", "id", "Id of the reference or option, as in the responses.", lambda s: s.id),
    Column(
        "answer_index",
        "integer",
        "Of a reference: index of the option that answers it.",
        lambda s: s.answer,
    ),
    Column("label", "text", "What an option without an image says.", lambda s: s.label),
    Column("image_sha256", "id", "sha256 of the image shown; empty for a label.", lambda s: s.image),
    Column("file", "text", "The image in images.zip.", lambda s: s.file),
    Column("width", "integer", "Width of the image in pixels.", lambda s: s.width),
    Column("height", "integer", "Height of the image in pixels.", lambda s: s.height),
    Column("network", "text", "Slug of the network whose layer the IRI matches.", lambda s: s.network),
    Column("weights_sha256", "id", "sha256 of the network's weights.", lambda s: s.weights_sha256),
    Column("layer", "text", "Name of the layer.", lambda s: s.layer),
    Column("recipe", "text", "Name of the recipe.", lambda s: s.recipe),
    Column("recipe_sha256", "id", "sha256 of the recipe's canonical JSON.", lambda s: s.recipe_sha256),
    Column("iri_id", "id", "The IRI that the reference is about.", lambda s: s.iri_id),
    Column("rng_seed", "integer", "RNG seed of the search that found the IRI.", lambda s: s.rng_seed),
    Column("target_id", "id", "The target image that the IRI matches.", lambda s: s.target_id),
    Column("target_label", "text", "Label of the target in its image set.", lambda s: s.target_label),
    Column(
        "target_sha256",
        "id",
        "sha256 of the target at the recipe's resolution, as people see it.",
        lambda s: s.target_image,
    ),
    Column("start_sha256", "id", "sha256 of the IRI's start image.", lambda s: s.start_image),
    Column(
        "relative_error",
        "number",
        "Relative error at the layer, measured on the decoded PNG.",
        lambda s: s.relative_error,
    ),
    Column("cosine", "number", "Cosine similarity at the layer, likewise.", lambda s: s.cosine),
    Column("passed", "0 or 1", "1 if the IRI passed the recipe's thresholds.", lambda s: s.passed),
    Column("passed_reason", "text", "Which threshold it did not pass.", lambda s: s.passed_reason),
)
