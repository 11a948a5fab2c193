"""Simulated observers of a report as tables show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

STATES = {
    "waiting": "waiting for a worker",
    "running": "being computed",
    "unavailable": "unavailable",
    "done": "",
}


def observer_tables(report: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """asked: one row per observer. scored: those with judgements, which are the columns of `conditions`.
    networks: those with transfer, which are the columns of `transfers`.
    """
    asked = [_asked(one) for one in report.get("observers", [])]
    scored = [one for one in asked if one["n_trials"]]
    networks = [one for one in asked if any(score["transfer"] for score in one["scores"])]
    return {
        "asked": asked,
        "scored": scored,
        "conditions": _by_condition(scored, labels),
        "networks": networks,
        "transfers": _by_condition(networks, labels),
    }


def _asked(observer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **observer,
        "state_text": STATES[observer["state"]],
        "n_trials": sum(score["n_trials"] for score in observer["scores"]),
        "n_ties": sum(score["n_ties"] for score in observer["scores"]),
    }


def _by_condition(observers: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row per condition with one cell per observer; every observer has all conditions, in one order."""
    if not observers:
        return []
    return [
        {**cells[0], "label": labels.get(cells[0]["condition"], cells[0]["condition"]), "cells": cells}
        for cells in zip(*(observer["scores"] for observer in observers), strict=True)
    ]
