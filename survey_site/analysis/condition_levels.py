"""Conditions by factor of their networks. Standard library only."""

from collections.abc import Mapping, Sequence

#: Columns whose values are compared as factors, as Nanda et al. (2023) do.
FACTORS = (
    "network",
    "architecture",
    "family",
    "is_residual",
    "training_loss",
    "augmentation",
    "training_set",
    "is_control",
    "layer",
    "layer_depth",
    "recipe",
)


#: Columns that may tell apart two conditions of one layer.
TELLING = ("recipe", "image_set", "trial_format", "n_options", "iri_seed")


def levels_of_cells(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """By factor the level of each condition, from the rows of a conditions.csv: cells by column name.

    Conditions without a level are left out. Controls (the target or the start image shown as the reference)
    say nothing about a network.
    """
    levels = {
        name: {row["condition"]: row[name] for row in rows if row["shows"] == "iri" and row[name]}
        for name in FACTORS
    }
    return {name: by_condition for name, by_condition in levels.items() if by_condition}
