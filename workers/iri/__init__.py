"""Identically represented inputs (IRIs): a plain torch library, usable without Django or Celery.

>>> from workers.iri import NetworkSpec, Optimizer, Recipe, Term, build, invert, preset
"""

from importlib import import_module
from typing import Any

# Where each public name lives. Looked up on first use, so that importing `workers.iri.recipe` needs no torch.
_HOMES = {
    "Recipe": "recipe",
    "RecipeError": "recipe",
    "preset": "recipe",
    "Term": "recipe_parts",
    "Start": "recipe_parts",
    "Optimizer": "recipe_parts",
    "Transform": "recipe_parts",
    "Passing": "recipe_parts",
    "NetworkSpec": "networks",
    "BuiltNetwork": "networks",
    "build": "networks",
    "from_module": "own_networks",
    "list_layers": "networks",
    "NetworkError": "networks",
    "WeightsError": "weights",
    "LayerError": "layer_errors",
    "LayerNotFound": "layer_errors",
    "invert": "inversion",
    "invert_each": "inversion",
    "Found": "lane",
    "Work": "search",
    "SearchError": "search",
    "Pool": "start_images",
    "InversionError": "inversion",
    "StateRefused": "inversion",
    "DeviceError": "devices",
    "PrecisionError": "precision",
    "CompileError": "compiling",
    "SizeRefused": "sizes",
    "StartError": "start_images",
    "PerceptualError": "perceptual",
    "InversionStopped": "inversion",
    "Inversion": "inversion",
    "Progress": "inversion",
    "measure": "quality",
    "MeasureError": "quality",
    "null_distribution": "nulls",
    "NullError": "nulls",
    "ImageError": "images",
    "fit": "images",
    "to_png": "images",
    "from_png": "images",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
