"""What simulated observers judged of a study's trials."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from survey_site.analysis.exporting.rows import ROWS_PER_FETCH, trials_of
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.judgement_columns import JudgementFields
from survey_site.analysis.models import Observation, ObserverJudgement

# Where JudgementFields, in its order, are found from an ObserverJudgement.
JUDGEMENT_PATHS = (
    "trial__version__study__slug",
    "trial__version__number",
    "trial__condition__slug",
    "trial__kind",
    "trial_id",
    "reference_id",
    "reference__index",
    "observer",
    "version",
    "weights_sha256",
    "choice_id",
    "n_nearest",
    "credit",
    "distances",
)


def judgements(selection: Selection) -> Iterator[JudgementFields]:
    """Those of the version and weights that judged last; by observer, then by trial."""
    last = Observation.objects.filter(
        study=selection.study,
        observer=OuterRef("observer"),
        version=OuterRef("version"),
        weights_sha256=OuterRef("weights_sha256"),
    )
    found = ObserverJudgement.objects.filter(Exists(last), trial__in=trials_of(selection))
    order = ("observer", "trial__version__number", "trial__condition__slug", "trial_id", "reference__index")
    rows = found.order_by(*order).values_list(*JUDGEMENT_PATHS)
    return map(JudgementFields._make, rows.iterator(chunk_size=ROWS_PER_FETCH))
