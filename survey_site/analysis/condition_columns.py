"""The columns of conditions.csv, which goes beside the responses."""

from collections.abc import Sequence
from typing import NamedTuple

from survey_site.analysis.columns import Column
from survey_site.analysis.csv_cells import unescape


class ConditionFacts(NamedTuple):
    """One condition with its pair, its network's factors and the quality of its IRIs."""

    study: str
    condition: str
    label: str
    shows: str
    network: str
    network_name: str
    architecture: str
    family: str
    is_residual: bool | None
    training_loss: str
    augmentation: str
    training_set: str
    epsilon: float | None
    is_control: bool
    weights_sha256: str
    layer: str
    layer_depth: int
    layer_role: str
    recipe: str
    recipe_sha256: str
    image_set: str
    iri_seed: int
    trial_format: str
    foil_rule: str
    n_options: int
    chance: float
    n_iris: int
    n_passed: int
    median_relative_error: float | None


CONDITION_COLUMNS: tuple[Column[ConditionFacts], ...] = (
    Column("study", "text", "Slug of the study.", lambda c: c.study),
    Column("condition", "text", "Slug of the condition, as in the responses.", lambda c: c.condition),
    Column(
        "label",
        "text",
        "Name for people: network and layer, and whatever else tells the study's conditions apart.",
        lambda c: c.label,
    ),
    Column(
        "shows",
        "text",
        "What the reference shows: `iri`, or a control: `target`, `start`.",
        lambda c: c.shows,
    ),
    Column("network", "text", "Slug of the network.", lambda c: c.network),
    Column("network_name", "text", "Name of the network for people.", lambda c: c.network_name),
    Column("architecture", "text", "Architecture, as its library spells it.", lambda c: c.architecture),
    Column("family", "text", "Architecture family.", lambda c: c.family),
    Column(
        "is_residual",
        "0 or 1",
        "1 if the architecture is residual; empty if not said.",
        lambda c: c.is_residual,
    ),
    Column("training_loss", "text", "Training loss of the network.", lambda c: c.training_loss),
    Column("augmentation", "text", "Augmentation in training.", lambda c: c.augmentation),
    Column("training_set", "text", "Training set.", lambda c: c.training_set),
    Column("epsilon", "number", "Radius of adversarial training; empty if none.", lambda c: c.epsilon),
    Column("is_control", "0 or 1", "1 if the network is a control (untrained).", lambda c: c.is_control),
    Column("weights_sha256", "id", "sha256 of the network's weights.", lambda c: c.weights_sha256),
    Column("layer", "text", "Name of the layer.", lambda c: c.layer),
    Column(
        "layer_depth",
        "integer",
        "Place of the layer in the order of execution, from 0.",
        lambda c: c.layer_depth,
    ),
    Column("layer_role", "text", "`pooled`, `logits` or empty.", lambda c: c.layer_role),
    Column("recipe", "text", "Name of the recipe.", lambda c: c.recipe),
    Column("recipe_sha256", "id", "sha256 of the recipe's canonical JSON.", lambda c: c.recipe_sha256),
    Column("image_set", "text", "Slug of the image set.", lambda c: c.image_set),
    Column("iri_seed", "integer", "RNG seed of the job that made the IRIs.", lambda c: c.iri_seed),
    Column("trial_format", "text", "Format of the trials.", lambda c: c.trial_format),
    Column("foil_rule", "text", "What the foils are.", lambda c: c.foil_rule),
    Column("n_options", "integer", "Number of options offered.", lambda c: c.n_options),
    Column("chance", "number", "Score of a guesser, 1 / n_options.", lambda c: c.chance),
    Column("n_iris", "integer", "Finished IRIs of the condition.", lambda c: c.n_iris),
    Column("n_passed", "integer", "Those of them that passed the recipe's thresholds.", lambda c: c.n_passed),
    Column(
        "median_relative_error",
        "number",
        "Median relative error of the finished IRIs at the layer, on the decoded PNG.",
        lambda c: c.median_relative_error,
    ),
)


def condition_cells(facts: Sequence[ConditionFacts]) -> list[dict[str, str]]:
    """The rows of conditions.csv as cells by column name, as a file read back gives them."""
    return [{column.name: unescape(column.cell(fact)) for column in CONDITION_COLUMNS} for fact in facts]
