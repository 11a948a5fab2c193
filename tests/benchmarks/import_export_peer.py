"""The long file as django-import-export makes it, by a resource as a careful user would write it.

Every relation is joined in the one query, and what follows from a trial is asked once per trial.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.db.models import QuerySet
from import_export.fields import Field
from import_export.resources import ModelResource

from survey_site.analysis.response_columns import RESPONSE_COLUMNS
from survey_site.participation.models import Response
from survey_site.studies.models import Trial

SESSION, TRIAL, IRI = "presentation__session__", "presentation__trial__", "reference__iri__"
CONDITION = f"{TRIAL}condition__"
RELATIONS = (
    f"{SESSION}study",
    f"{SESSION}version",
    f"{CONDITION}layer__network",
    f"{CONDITION}recipe",
    "reference__image",
    "reference__answer",
    f"{IRI}target",
    f"{IRI}start_image",
    "entry",
)
#: Where django-import-export finds a column that is a fact of some row; the others are computed below.
ATTRIBUTES = {
    **{
        name: name
        for name in (
            *("trial_type", "trial_index", "time_elapsed", "rt", "timed_out", "confidence", "rt_raw_ms"),
            *("onset_frame_ms", "input", "refresh_hz", "frames_dropped", "focus_lost", "presentation_id"),
        )
    },
    "stimulus": "reference__image__sha256",
    "participant_id": f"{SESSION}participant_id",
    "session_id": "presentation__session_id",
    "study": f"{SESSION}study__slug",
    "study_version": f"{SESSION}version__number",
    **{name: f"{SESSION}{name}" for name in ("mode", "language", "recruiter")},
    "condition": f"{CONDITION}slug",
    "network": f"{CONDITION}layer__network__slug",
    "layer": f"{CONDITION}layer__name",
    "recipe": f"{CONDITION}recipe__name",
    "iri_id": "reference__iri_id",
    "target_id": f"{IRI}target_id",
    "target_label": f"{IRI}target__label",
    "start_image": f"{IRI}start_image__sha256",
    "block": "presentation__block",
    "trial_id": "presentation__trial_id",
    "trial_format": f"{TRIAL}format",
    "trial_kind": f"{TRIAL}kind",
    "attempt": "presentation__attempt",
    "repeat_of": "presentation__repeat_of_id",
    "reference_index": "reference__index",
    "reference": "reference_id",
    "side_seed": f"{SESSION}rng_seed",
    "client_seq": "entry__seq",
    "server_received_utc": "entry__received_at",
}
NAMES = [column.name for column in RESPONSE_COLUMNS]


@cache
def options_of(trial: Any) -> list[Any]:
    return list(Trial.objects.get(pk=trial).options.order_by("index").values_list("pk", flat=True))


def shown(response: Response) -> list[Any]:
    options = options_of(response.presentation.trial_id)
    return [options[index] for index in response.presentation.option_order]


class _Meta:
    model = Response
    fields = NAMES
    export_order = NAMES
    chunk_size = 2000


COMPUTED: dict[str, Any] = {
    "response": lambda self, row: shown(row).index(row.option_id) if row.option_id else "",
    "n_options": lambda self, row: len(row.presentation.option_order),
    "options": lambda self, row: "|".join(map(str, shown(row))),
    "answer_position": lambda self, row: row.presentation.option_order.index(row.reference.answer.index),
    "chose_target": lambda self, row: (
        "" if row.option_id is None else int(row.option_id == row.reference.answer_id)
    ),
    "excluded_by": lambda self, row: "",
}
ResponseResource: type[ModelResource] = type(
    "ResponseResource",
    (ModelResource,),
    {
        **{name: Field(attribute=ATTRIBUTES.get(name), column_name=name) for name in NAMES},
        **{f"dehydrate_{name}": compute for name, compute in COMPUTED.items()},
        "Meta": _Meta,
    },
)


def first_responses(n: int) -> QuerySet[Response]:
    """Those of the sessions that began first, in the order of the long file."""
    order = ("presentation__session__created_at", "presentation__session_id", "presentation__position")
    return Response.objects.select_related(*RELATIONS).order_by(*order, "reference__index")[:n]


def peer_csv(n: int) -> str:
    """The first `n` responses as CSV text, all of it in memory, as that library makes it."""
    text: str = ResponseResource().export(queryset=first_responses(n)).csv
    return text
