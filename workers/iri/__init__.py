"""Identically represented inputs (IRIs): a plain torch library, usable without Django or Celery.

>>> from workers.iri import invert, build, NetworkSpec, preset
"""

from importlib import import_module
from typing import Any

# Where each public name lives. Looked up on first use, so that importing `workers.iri.recipe` needs no torch.
_HOMES = {
    "Recipe": "recipe",
    "RecipeError": "recipe",
    "preset": "recipe",
    "NetworkSpec": "networks",
    "BuiltNetwork": "networks",
    "build": "networks",
    "list_layers": "networks",
    "invert": "inversion",
    "Inversion": "inversion",
    "Progress": "inversion",
    "measure": "quality",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
