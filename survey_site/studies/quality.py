"""How many of a condition's IRIs are shown, and why the others are not."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from survey_site.stimuli.models import IRIStatus
from survey_site.studies.models import Condition

#: Where a reason goes on with what differs from image to image: " 0.912 is above ...", " is cat, ...".
DETAIL = re.compile(r"\s+(?:-?\d|is\b)")


@dataclass(frozen=True)
class IRIQuality:
    """Counts of finished IRIs: found, shown, failed their quality check; reasons with how often each."""

    condition: str
    found: int
    shown: int
    failed: int
    reasons: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        if not self.failed:
            return f"{self.condition}: all {self.found} finished IRIs are shown"
        why = "; ".join(f"{reason} ({n})" for reason, n in self.reasons)
        fate = "are shown all the same" if self.shown == self.found else "are left out"
        return (
            f"{self.condition}: {self.shown} of {self.found} finished IRIs are shown; {self.failed} failed "
            f"the quality check and {fate}: {why}"
        )


def iri_quality(condition: Condition) -> IRIQuality:
    finished = condition.iris().filter(status=IRIStatus.DONE)
    failed = finished.exclude(passed=True)
    reasons = Counter(
        kind for text in failed.values_list("passed_reason", flat=True) for kind in kinds_of_reason(text)
    )
    return IRIQuality(
        condition=condition.slug,
        found=finished.count(),
        shown=condition.usable_iris().count(),
        failed=failed.count(),
        reasons=tuple(reasons.most_common()),
    )


def kinds_of_reason(text: str) -> list[str]:
    """What a reason complains about, one entry a measure, without the image's own numbers.

    >>> kinds_of_reason("relative error 0.9 is above 0.5; the network's label is cat, the target's dog")
    ['relative error', "the network's label"]
    """
    parts = [part.strip() for part in text.split(";")]
    kinds = [DETAIL.split(part)[0] for part in parts if part]
    return list(dict.fromkeys(kinds)) or ["no reason was recorded"]
