"""Somebody who takes a study over HTTP, and may do it badly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.test import Client

from survey_site.participation.models import LogEntry, Presentation, Response, StudySession

Answer = Any  # Django's test client gives its responses a json() that types do not know


@dataclass
class Visitor:
    """Each call returns the HTTP response; `token` is kept from the start."""

    study: str = "faces"
    client: Client = field(default_factory=Client)
    token: str = ""

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        data = body if isinstance(body, str | bytes) else json.dumps(body if body is not None else {})
        given = {"Authorization": f"Session {self.token}"} if self.token else {}
        content = {"data": data, "content_type": "application/json"} if method == "POST" else {}
        return self.client.generic(method, path, headers={**given, **headers}, **content)  # type: ignore[arg-type]

    def info(self) -> Answer:
        return self.call("GET", f"/api/studies/{self.study}/")

    def start(self, **changes: object) -> Answer:
        answer = self.call("POST", "/api/sessions/", {"study": self.study, **changes})
        if answer.status_code in (200, 201):
            self.token = answer.json()["token"]
        return answer

    def consent(self, *, agreed: bool = True, consent_version: str | None = None) -> Answer:
        version = consent_version or self.info().json()["consent_version"]
        return self.call("POST", "/api/sessions/me/consent/", {"agreed": agreed, "consent_version": version})

    def manifest(self) -> Answer:
        return self.call("GET", "/api/sessions/me/manifest/")

    def presentations(self) -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = self.manifest().json()["presentations"]
        return shown

    def log(self, *entries: object) -> Answer:
        return self.call("POST", "/api/sessions/me/log/", {"entries": list(entries)})

    def finish(self, last_seq: int) -> Answer:
        return self.call("POST", "/api/sessions/me/finish/", {"last_seq": last_seq})

    def me(self) -> Answer:
        return self.call("GET", "/api/sessions/me/")

    @property
    def session(self) -> StudySession:
        return StudySession.objects.get(pk=self.me().json()["session_id"])


def running(study: str = "faces") -> Visitor:
    """A visitor who has consented."""
    visitor = Visitor(study)
    assert visitor.start().status_code == 201
    assert visitor.consent().status_code == 200
    return visitor


def event(seq: int, **payload: object) -> dict[str, Any]:
    return {"seq": seq, "kind": "event", "payload": payload}


def response(seq: int, shown: dict[str, Any], option: object = 0, **changes: object) -> dict[str, Any]:
    """A log entry that answers the presentation, as the page writes it."""
    payload = {
        "presentation": shown["id"],
        "answers": [{"reference": 0, "option": option}],
        "rt": 512,
        "timed_out": False,
        "confidence": None,
        "input": "key",
        "rt_raw_ms": 512.3000000000001,
        "onset_frame_ms": 1017.7,
        "refresh_hz": 60.02,
        "frames_dropped": 0,
        "focus_lost": 0,
        "time_elapsed": 1530,
        "trial_type": "iri-two-afc",
        "trial_index": shown["position"],
    }
    return {"seq": seq, "kind": "response", "payload": {**payload, **changes}}


def counts() -> tuple[int, int, int, int]:
    """What a refused request must leave as it was."""
    return (
        StudySession.objects.count(),
        Presentation.objects.count(),
        LogEntry.objects.count(),
        Response.objects.count(),
    )
