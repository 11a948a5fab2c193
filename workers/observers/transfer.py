"""Does another network share the invariances that made an IRI? (Nanda et al. 2022, STIR.)

A network's layer m1 made IRIs X' of targets X. Another layer m2 is asked how alike it finds X and X'::

    STIR(m2 | m1) = CKA(m2(X), m2(X'))

with linear CKA (Kornblith et al. 2019) over the images: 1 if m2 shares every invariance of m1 that the IRIs
show. CKA of few images is biased upwards, so the same figure for X and the start images stands beside it,
and the images' own cosines.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FEWEST_IMAGES = 3
#: Responses that differ by less than this share of their length are the same.
SAME = 1e-6
NUMBERS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Transfer:
    """How alike a layer finds targets and IRIs.

    `stir`: linear CKA of targets and IRIs, 0 to 1; None below three images or where all of one kind look the
    same to the layer. `stir_start`: the same of targets and start images. `cosine`: mean cosine of a target's
    and its IRI's response; `cosines`: each. `n`: targets.
    """

    n: int
    stir: float | None
    stir_start: float | None
    cosine: float
    cosines: tuple[float, ...]


def transfer(targets: Tensor, iris: Tensor, starts: Tensor) -> Transfer:
    """From a layer's responses to targets, their IRIs and their start images, each (n, d) with n from 1."""
    cosines = [
        float(torch.nn.functional.cosine_similarity(target.double(), iri.double(), dim=0))
        for target, iri in zip(targets, iris, strict=True)
    ]
    return Transfer(
        n=len(targets),
        stir=linear_cka(targets, iris),
        stir_start=linear_cka(targets, starts),
        cosine=sum(cosines) / len(cosines),
        cosines=tuple(cosines),
    )


def linear_cka(one: Tensor, other: Tensor) -> float | None:
    """``||B'A||_F^2 / (||A'A||_F ||B'B||_F)`` of centred responses A, B (n, d), by their (n, n) products.

    None for fewer than three images, or where all images give the same response.

    >>> linear_cka(torch.eye(3), 2 * torch.eye(3))
    1.0
    """
    if len(one) < FEWEST_IMAGES:
        return None
    products = [_centred_products(responses) for responses in (one, other)]
    if any(product is None for product in products):
        return None
    a, b = (product / product.norm() for product in products if product is not None)
    return float((a * b).sum())


def _centred_products(responses: Tensor) -> Tensor | None:
    """(n, n), by parts of the numbers of a response: an early layer has a million of them.

    None where the responses differ by rounding only.
    """
    products = torch.zeros(len(responses), len(responses), dtype=torch.float64)
    length = 0.0
    for part in torch.split(responses, NUMBERS_AT_ONCE, dim=1):
        exact = part.double()
        centred = exact - exact.mean(dim=0)
        products += centred @ centred.T
        length += float(exact.square().sum())
    return products if float(products.trace()) > SAME**2 * length else None
