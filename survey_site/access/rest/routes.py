"""Addresses of views whose actions go by HTTP method."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, path


def at(address: str, view: Any, name: str, **actions: str) -> URLPattern:
    """`at("jobs/", JobsView, "rest-jobs", get="list", post="create")`"""
    return path(address, view.as_view(actions), name=name)
