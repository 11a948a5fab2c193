"""Observers without learned weights from the Python package piq: SSIM and its kin.

Similarities s (1 for equal images) become distances 1 - s; GMSD and MDSI are distances as they come.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from types import MappingProxyType
from typing import Any

from torch import Tensor

from workers.iri.vision import import_torchvision
from workers.observers.observer import Observer, ObserverError

VERSION = "1"


@dataclass(frozen=True)
class _Index:
    """`function`: its name in piq. `source`: where it was published."""

    function: str
    source: str
    is_similarity: bool = True


INDICES: Mapping[str, _Index] = MappingProxyType(
    {
        "ssim": _Index("ssim", "Wang et al. 2004"),
        "ms-ssim": _Index("multi_scale_ssim", "Wang, Simoncelli & Bovik 2003"),
        "iw-ssim": _Index("information_weighted_ssim", "Wang & Li 2011"),
        "vif": _Index("vif_p", "Sheikh & Bovik 2006, pixel domain"),
        "fsim": _Index("fsim", "Zhang et al. 2011"),
        "sr-sim": _Index("srsim", "Zhang & Li 2012"),
        "vsi": _Index("vsi", "Zhang, Shen & Li 2014"),
        "dss": _Index("dss", "Balanov et al. 2015"),
        "haarpsi": _Index("haarpsi", "Reisenhofer et al. 2018"),
        "gmsd": _Index("gmsd", "Xue et al. 2014", is_similarity=False),
        "ms-gmsd": _Index("multi_scale_gmsd", "Zhang et al. 2017", is_similarity=False),
        "mdsi": _Index("mdsi", "Nafchi et al. 2016", is_similarity=False),
    }
)


def structural(name: str) -> Observer:
    """One of INDICES, with piq's own parameters, computed in float64."""
    piq, index = _piq(), INDICES[name]
    compare = getattr(piq, index.function)

    def measure(images: Tensor, others: Tensor) -> Tensor:
        try:
            # piq calls the second the reference; VIF alone tells the two apart.
            found = compare(others.double(), images.double(), data_range=1.0, reduction="none").flatten()
        except (ValueError, RuntimeError) as error:
            height, width = images.shape[-2:]
            raise ObserverError(f"{name} can't take images of {width} × {height} pixels: {error}") from error
        return 1 - found if index.is_similarity else found

    version = f"{VERSION}; piq {metadata.version('piq')}"
    return Observer(name, version, measure, provenance={"piq": index.function, "source": index.source})


def _piq() -> Any:
    import_torchvision()  # piq imports torchvision, which may need its operators declared first
    try:
        return importlib.import_module("piq")
    except ImportError as error:
        raise ObserverError(f"this observer needs the Python package piq: {error}") from error
