"""Is what is stored what was stored? Hashes taken again here, measurements by a worker."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

from django.db import transaction
from django.db.models import F
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Now

from survey_site.stimuli.models import IRI, CheckStatus, IRICheck, StoredImage
from survey_site.stimuli.services.doorbell import ring_for_checks
from survey_site.stimuli.services.storing import StoreTrouble, storing

# Another device, or another number of threads, rounds otherwise.
SAME_SHARE, SAME_ERROR = 0.01, 1e-3


def broken_images() -> Iterator[tuple[StoredImage, str]]:
    """Every image row whose file is not there or not what its hash says, and why; reads everything."""
    for image in StoredImage.objects.order_by("sha256").iterator(chunk_size=200):
        if trouble := _trouble(image):
            yield image, trouble


def _trouble(image: StoredImage) -> str:
    try:
        with storing(), image.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except StoreTrouble as trouble:
        return str(trouble)
    return "" if digest == image.sha256 else f"its bytes have the hash {digest}"


def disowned_iris() -> list[IRI]:
    """IRIs whose image is another one than their provenance names."""
    named = IRI.objects.done().filter(provenance__has_key="image_sha256").select_related("image")
    owned = named.annotate(named=KeyTextTransform("image_sha256", "provenance"))
    return list(owned.exclude(named=F("image__sha256")))


@transaction.atomic
def ask_for_checks(*, sample: int, seed: int) -> list[IRICheck]:
    """Have so many IRIs, drawn by the RNG seed, measured again by workers; fewer where there are fewer."""
    ids = sorted(IRI.objects.done().values_list("pk", flat=True))
    drawn = random.Random(seed).sample(ids, min(sample, len(ids)))  # noqa: S311 - a sample, no secret
    checks = IRICheck.objects.bulk_create([IRICheck(iri_id=pk) for pk in drawn])
    if checks:
        ring_for_checks()
    return checks


@transaction.atomic
def do_next_check(measure: Callable[[IRI], float]) -> IRICheck | None:
    """Measure one IRI that waits for it; None where none does. A worker that is killed leaves it waiting."""
    waiting = IRICheck.objects.filter(status=CheckStatus.PENDING)
    check = waiting.select_for_update(skip_locked=True).order_by("pk").first()
    if check is None:
        return None
    iri = IRI.objects.with_images().select_related("layer", "job__recipe").get(pk=check.iri_id)
    try:
        check.relative_error = measure(iri)
    except StoreTrouble as trouble:
        check.status, check.reason = CheckStatus.FAILED, str(trouble)
    except Exception as error:  # whatever the network's own code raises, somebody waits for the reason
        check.status, check.reason = CheckStatus.FAILED, str(error) or type(error).__name__
    else:
        check.status, check.reason = _verdict(iri.relative_error, check.relative_error)
    check.measured_at = Now()
    check.save()
    return check


def _verdict(stored: float | None, measured: float) -> tuple[str, str]:
    if stored is None:
        return CheckStatus.DIFFERS, f"relative error {measured:.6g}, and none is stored"
    if abs(measured - stored) <= max(SAME_SHARE * stored, SAME_ERROR):
        return CheckStatus.AGREES, ""
    return CheckStatus.DIFFERS, f"relative error {measured:.6g}, stored {stored:.6g}"
