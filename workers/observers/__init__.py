"""Simulated observers: how far apart two images are to an algorithm. Plain torch, no Django, no Celery.

>>> from workers.observers import judge, load_observer
"""

from importlib import import_module
from typing import Any

# Where each public name lives, looked up on first use.
_HOMES = {
    "NAMES": "catalogue",
    "load_observer": "catalogue",
    "layer_observer": "layers",
    "Observer": "observer",
    "ObserverError": "observer",
    "judge": "judging",
    "judge_odd_one": "judging",
    "Judgement": "judging",
    "distances_of": "pairs",
    "transfer": "transfer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
