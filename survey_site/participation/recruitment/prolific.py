"""Prolific: signed webhooks in, the list of a study's submissions out.

Shapes are those of Prolific's API reference (docs.prolific.com/api-reference): `submission.status.change`
with the headers X-Prolific-Request-Signature, X-Prolific-Request-Timestamp, X-Event-ID and X-Timestamp, and
GET /api/v1/studies/{id}/submissions/ with `results` and `_links.next.href`, and
POST /api/v1/submissions/{id}/transition/, which ignores the same decision sent again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpx

TOLERANCE_SECONDS = 300
MOST_PAGES = 1000
# The participant gave the place back, or ran out of time: Prolific sends somebody else.
GAVE_UP = ("RETURNED", "TIMED-OUT")

REJECTION_CATEGORIES = {
    "OTHER": "Other",
    "FAILED_CHECK": "Failed check",
    "FAILED_INSTRUCTIONS": "Failed instructions",
    "LOW_EFFORT": "Low effort",
    "MALINGERING": "Malingering",
    "TOO_QUICKLY": "Too quickly",
    "TOO_SLOWLY": "Too slowly",
    "NO_CODE": "No code",
    "BAD_CODE": "Bad code",
    "NO_DATA": "No data",
    "UNSUPP_DEVICE": "Unsupported device",
    "INCOMP_LONGITUDINAL": "Incomplete longitudinal study",
}
SHORTEST_REJECTION = 100
# Answers that may be another in a while.
PASSING_ANSWERS = (408, 425, 429)


class WebhookRefused(Exception):
    """A request that Prolific did not send, or not now. `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ProlificError(Exception):
    """Prolific's API refused, or was not understood; the message says what came."""


class DecisionRefused(ProlificError):
    """Prolific will not take the decision, however often it is sent."""


def verify(*, secret: str, body: bytes, signature: str, timestamp: str, now: datetime) -> datetime:
    """When the request was signed. Raises WebhookRefused for a signature or a time that does not hold.

    Signature: base64(HMAC-SHA256(secret, timestamp + body)); timestamp: seconds since 1970.
    """
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    try:
        given = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        given = b""
    if not hmac.compare_digest(given, digest):
        raise WebhookRefused("invalid_signature", "the signature does not fit body and timestamp")
    signed_at = seconds(timestamp)
    if signed_at is None or abs((now - signed_at).total_seconds()) > TOLERANCE_SECONDS:
        raise WebhookRefused(
            "stale_timestamp",
            f"the timestamp is {timestamp[:40]!r}; allowed: at most {TOLERANCE_SECONDS} s from now",
        )
    return signed_at


def seconds(timestamp: str) -> datetime | None:
    """Seconds since 1970, or None for what is not a time."""
    try:
        return datetime.fromtimestamp(float(timestamp), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class ListedSubmission:
    """A submission as Prolific lists it; the person's id is used to recognise, and not kept."""

    id: str
    participant_id: str
    status: str
    study_code: str


class ProlificApi:
    """The calls that reconciling and deciding need; only addresses of `base_url` are ever given the token."""

    def __init__(self, client: httpx.Client, *, base_url: str, token: str) -> None:
        self.client, self.base_url, self.token = client, base_url.rstrip("/"), token

    def submissions(self, study_id: str) -> Iterator[ListedSubmission]:
        """All submissions of one of Prolific's studies, page by page."""
        address: str | None = f"{self.base_url}/api/v1/studies/{study_id}/submissions/"
        for _ in range(MOST_PAGES):
            if address is None:
                return
            page = self._get(address)
            try:
                yield from [_listed(row) for row in page["results"]]
                following = ((page.get("_links") or {}).get("next") or {}).get("href")
            except (KeyError, TypeError, AttributeError) as error:
                raise ProlificError(f"{address} answered in another shape: {error!r}") from None
            address = urljoin(address, following) if following else None
        raise ProlificError(f"study {study_id!r} has more than {MOST_PAGES} pages of submissions")

    def approve(self, submission_id: str) -> None:
        """Have Prolific pay the submission. Raises DecisionRefused, or ProlificError where it may pass."""
        self._decide(submission_id, {"action": "APPROVE"})

    def reject(self, submission_id: str, *, message: str, category: str) -> None:
        """Have Prolific refuse to pay it; the participant reads `message`. Raises as `approve`."""
        self._decide(submission_id, {"action": "REJECT", "message": message, "rejection_category": category})

    def _decide(self, submission_id: str, body: dict[str, str]) -> None:
        address = f"{self.base_url}/api/v1/submissions/{quote(submission_id, safe='')}/transition/"
        try:
            response = self.client.post(address, json=body, headers={"Authorization": f"Token {self.token}"})
        except httpx.TransportError as error:
            raise ProlificError(f"{address} cannot be reached: {error}") from None
        said = f"{address} answered {response.status_code}: {response.text[:300]}"
        if 400 <= response.status_code < 500 and response.status_code not in PASSING_ANSWERS:
            raise DecisionRefused(said)
        if not response.is_success:
            raise ProlificError(said)

    def _get(self, address: str) -> dict[str, Any]:
        if urlsplit(address)[:2] != urlsplit(self.base_url)[:2]:
            raise ProlificError(f"the next page is at {address}, which is not Prolific's API")
        try:
            response = self.client.get(address, headers={"Authorization": f"Token {self.token}"})
        except httpx.TransportError as error:
            raise ProlificError(f"{address} cannot be reached: {error}") from None
        if response.status_code != 200:
            raise ProlificError(f"{address} answered {response.status_code}: {response.text[:300]}")
        try:
            page: dict[str, Any] = response.json()
        except ValueError:
            raise ProlificError(f"{address} answered, but not with JSON") from None
        return page


def _listed(row: dict[str, Any]) -> ListedSubmission:
    return ListedSubmission(
        id=str(row["id"]),
        participant_id=str(row.get("participant_id") or ""),
        status=str(row["status"]),
        study_code=str(row.get("study_code") or ""),
    )
