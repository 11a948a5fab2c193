"""payments.csv: every decision about pay, for whoever pays and for the books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from survey_site.analysis.columns import Column
from survey_site.analysis.exporting.csv_text import csv_text
from survey_site.participation.models import Payment
from survey_site.studies.models import Study
from survey_site.studies.money import as_decimal

ROWS_PER_FETCH = 2000


class PaymentFields(NamedTuple):
    """One decision."""

    payment: UUID
    study: str
    session: UUID | None
    participant: UUID | None
    session_state: str | None
    kind: str
    state: str
    amount_minor: int
    currency: str
    reason: str
    category: str
    decided_by: str | None
    decided_at: datetime
    recruiter: str
    recruiter_reference: str
    told: str
    told_reason: str


# Where PaymentFields, in its order, are found from a Payment.
PAYMENT_PATHS = (
    "pk", "study__slug", "session_id", "session__participant_id", "session__state", "kind", "state",
    "amount_minor", "currency", "reason", "category", "decided_by__username", "decided_at", "recruiter",
    "recruiter_reference", "told", "told_reason",
)  # fmt: skip

PAYMENT_COLUMNS: tuple[Column[PaymentFields], ...] = (
    Column("payment_id", "id", "The decision.", lambda r: r.payment),
    Column("study", "text", "Slug of the study.", lambda r: r.study),
    Column("session_id", "id", "As in sessions.csv; empty if that is deleted.", lambda r: r.session),
    Column("participant_id", "id", "Pseudonym of the participant.", lambda r: r.participant),
    Column("session_state", "text", "As in sessions.csv.", lambda r: r.session_state),
    Column("kind", "text", "`base` or `bonus`.", lambda r: r.kind),
    Column(
        "state",
        "text",
        "`approved`, `rejected`, or `paid` (outside of this site, as somebody said here).",
        lambda r: r.state,
    ),
    Column(
        "amount",
        "number",
        "In the currency; of what is rejected, what would have been paid.",
        lambda r: float(as_decimal(r.amount_minor, r.currency)),
    ),
    Column("amount_minor", "integer", "In its smallest unit.", lambda r: r.amount_minor),
    Column("currency", "text", "ISO 4217.", lambda r: r.currency),
    Column("reason", "text", "Of a rejection or a bonus.", lambda r: r.reason),
    Column("category", "text", "Of a rejection, as Prolific has them.", lambda r: r.category),
    Column("decided_by", "text", "Who decided last.", lambda r: r.decided_by),
    Column("decided_utc", "UTC time", "And when.", lambda r: r.decided_at),
    Column("recruiter", "text", "By whose link the participant came.", lambda r: r.recruiter),
    Column(
        "recruiter_reference",
        "text",
        "What the recruiter calls the session (submission, assignment); only in full exports.",
        lambda r: r.recruiter_reference,
    ),
    Column(
        "told",
        "text",
        "`recorded` (here only), `waiting` (to be sent to the recruiter), `sent`, or `refused` by it.",
        lambda r: r.told,
    ),
    Column(
        "told_reason",
        "text",
        "Why it could not be sent, in the recruiter's words; only in full exports.",
        lambda r: r.told_reason,
    ),
)


def stream_payments_csv(study: Study, *, has_recruiter_ids: bool) -> Iterator[str]:
    """All decisions of a study, oldest first, as CSV text."""
    rows = Payment.objects.filter(study=study).values_list(*PAYMENT_PATHS)
    found = map(PaymentFields._make, rows.iterator(chunk_size=ROWS_PER_FETCH))
    return csv_text(PAYMENT_COLUMNS, found if has_recruiter_ids else map(_without_ids, found))


def _without_ids(row: PaymentFields) -> PaymentFields:
    """The recruiter's words go, too: the address that was asked, with the submission's id, is in them."""
    return row._replace(recruiter_reference="", told_reason="")
