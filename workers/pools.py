"""The natural images of a job's image set, from which start images may be chosen."""

from __future__ import annotations

import torch
from torch import Tensor

from survey_site.stimuli.models import IRIJob, TargetImage
from workers.iri.recipe import Recipe
from workers.iri.start_images import Pool
from workers.stored_images import pixels_of


def pool_of(job: IRIJob, recipe: Recipe) -> Pool | None:
    """All targets of the job's set at the recipe's size; None where no start image is chosen from them.

    Whole, whichever chunk asks: the image chosen must not depend on how a job was cut into chunks.
    """
    if recipe.start.rule != "natural":
        return None
    targets = list(job.image_set.targets.select_related("image").order_by("image__sha256"))
    images = [_pixels(target, recipe.image_size) for target in targets]
    return Pool(torch.stack(images), tuple(target.label for target in targets))


def _pixels(target: TargetImage, size: int) -> Tensor:
    """uint8 (3, size, size): a quarter of the memory of numbers from 0 to 1."""
    return pixels_of(target.image, size).mul(255).round().to(torch.uint8)
