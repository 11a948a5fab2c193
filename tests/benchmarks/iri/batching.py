"""What differs when the same images are searched for in other batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.benchmarks.iri.subjects import STAGES, TRAINED, photographs
from workers.iri.images import to_png
from workers.iri.inversion import Inversion, invert
from workers.iri.recipe import preset


@dataclass(frozen=True)
class BatchingSetting:
    size: int = 64
    photographs: int = 8
    steps: int = 240


QUICK = BatchingSetting(size=32, photographs=2, steps=12)


@dataclass(frozen=True)
class Batching:
    """Images one by one against all at once, by the shipped default.

    `same_bytes`: PNGs that are equal. `pixels`: share of colour values that differ by at least one of 255.
    `mean_change`: mean absolute difference, of 255. `error_change`: largest difference of relative errors.
    `repeated`: whether the same batch again gave the same bytes.
    """

    stage: str
    layer: str
    images: int
    same_bytes: int
    pixels: float
    mean_change: float
    error_change: float
    repeated: bool


def batchings(setting: BatchingSetting, on_stage: Callable[[], None]) -> list[Batching]:
    """One row a stage, of the first trained network."""
    subject = TRAINED[0]
    network = subject.build()
    recipe = replace(preset("reg_free"), image_size=setting.size, steps=setting.steps, finish_below=None)
    targets = photographs(setting.photographs, setting.size)

    def run(layer: str, batch_size: int) -> Inversion:
        return invert(network, layer, targets, recipe, range(len(targets)), batch_size=batch_size)

    rows = []
    for stage, layer in zip(STAGES, subject.layers, strict=True):
        together, again, alone = run(layer, len(targets)), run(layer, len(targets)), run(layer, 1)
        pngs, others, singles = (_pngs(found) for found in (together, again, alone))
        change = (together.images.mul(255).round() - alone.images.mul(255).round()).abs()
        errors = zip(together.relative_errors, alone.relative_errors, strict=True)
        rows.append(
            Batching(
                stage=stage,
                layer=layer,
                images=len(targets),
                same_bytes=sum(one == other for one, other in zip(pngs, singles, strict=True)),
                pixels=float((change >= 1).float().mean()),
                mean_change=float(change.mean()),
                error_change=max(abs(one - other) for one, other in errors),
                repeated=pngs == others,
            )
        )
        on_stage()
    return rows


def _pngs(found: Inversion) -> list[bytes]:
    return [to_png(image) for image in found.images]
