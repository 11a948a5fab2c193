"""Scores by factor of the networks, as Nanda et al. (2023) compare them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from survey_site.analysis.figures.figure import Figure
from survey_site.analysis.figures.forest import forest

#: What is drawn, in this order, and what it is called.
TITLES = {
    "network": "network",
    "architecture": "architecture",
    "family": "architecture family",
    "is_residual": "residual connections",
    "training_loss": "training loss",
    "augmentation": "augmentation in training",
    "training_set": "training set",
    "is_control": "control network",
    "layer_depth": "layer depth",
    "recipe": "recipe",
}
TRUTHS = {
    "is_residual": {"1": "residual", "0": "not residual"},
    "is_control": {"1": "control", "0": "trained"},
}


def factor_figures(report: Mapping[str, Any]) -> Iterator[Figure]:
    """One forest plot for each factor in which the conditions differ.

    A factor that splits the conditions exactly as an earlier one does (one network per architecture, say) is
    named in that one's caption instead of being drawn again.
    """
    drawn: dict[frozenset[frozenset[str]], list[str]] = {}
    for name in TITLES:
        levels = _levels(report, name)
        if len(levels) > 1:
            drawn.setdefault(_partition(report, name), []).append(name)
    for first, *same in drawn.values():
        yield _figure(report, first, same)


def constant_factors(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Factors with a single level: title and level. Those that no network states are left out."""
    found = ((name, _levels(report, name)) for name in TITLES)
    return [
        (TITLES[name], level_name(report, name, levels[0]["condition"]))
        for name, levels in found
        if len(levels) == 1
    ]


def level_name(report: Mapping[str, Any], factor: str, level: str) -> str:
    """A level as people read it."""
    if factor == "network":
        names = {row["network"]: row["network_name"] for row in report["conditions"]}
        return names.get(level) or level
    if factor == "layer_depth":
        layers = {row["layer"] for row in report["conditions"] if row["layer_depth"] == level}
        return f"{level} ({', '.join(sorted(layers))})"
    return TRUTHS.get(factor, {}).get(level, level)


def _levels(report: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    levels = report["factors"].get(name, [])
    return levels if isinstance(levels, list) else []


def _partition(report: Mapping[str, Any], name: str) -> frozenset[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for row in report["conditions"]:
        groups.setdefault(row[name], set()).add(row["condition"])
    return frozenset(map(frozenset, groups.values()))


def _figure(report: Mapping[str, Any], name: str, same: Sequence[str]) -> Figure:
    levels = sorted(_levels(report, name), key=lambda score: _order(score["condition"]))
    also = f" Here the same as by {' and by '.join(TITLES[other] for other in same)}." if same else ""
    return forest(
        name=f"by-{name.replace('_', '-')}",
        title=f"Score by {TITLES[name]}",
        caption=f"Conditions of one level are pooled, without the controls that show no IRI.{also}",
        scores=[(level_name(report, name, score["condition"]), score) for score in levels],
        confidence=report["settings"]["confidence"],
    )


def _order(level: str) -> tuple[int, str]:
    """Numbers by size, words by the alphabet."""
    return (int(level), "") if level.isdecimal() else (0, level)
