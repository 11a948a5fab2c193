"""Pilot bots: they take a study over the real HTTP API, and know the answers from the database."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import httpx

from survey_site.participation.models import Presentation

ENTRIES_PER_CALL = 50
FASTEST_MS, SLOWEST_MS = 400.0, 2500.0


class BotError(Exception):
    """The API refused a bot; the message carries its code and detail."""


@dataclass
class Bot:
    """Chooses the answer with probability `p_target`, otherwise another option by lot.

    What it chooses in a trial follows from `rng_seed` and the trial's number alone, in whatever order and
    on whatever sides the trial is shown: the same seeds give a study the same score.
    """

    client: httpx.Client
    p_target: float
    rng_seed: str
    token: str = ""

    def take(self, *, study: str, mode: str) -> int:
        """Go through the whole study; returns how many trials were answered."""
        info = self._call("GET", f"/api/studies/{study}/")
        start = {"study": study, "mode": mode, "language": info["language"], "recruitment": {}}
        self.token = self._call("POST", "/api/sessions/", start)["token"]
        consent = {"agreed": True, "consent_version": info["consent_version"]}
        self._call("POST", "/api/sessions/me/consent/", consent)
        manifest = self._call("GET", "/api/sessions/me/manifest/")
        entries = self._entries(_asked(manifest["presentations"]), manifest["settings"]["confidence_levels"])
        n_trials = len(entries)
        if manifest["questions"]:
            payload = {"answers": self._questionnaire(manifest["questions"])}
            entries.append({"seq": n_trials + 1, "kind": "questionnaire", "payload": payload})
        for first in range(0, len(entries), ENTRIES_PER_CALL):
            self._call(
                "POST", "/api/sessions/me/log/", {"entries": entries[first : first + ENTRIES_PER_CALL]}
            )
        done = self._call("POST", "/api/sessions/me/finish/", {"last_seq": len(entries)})
        if not done["complete"]:
            raise BotError(f"the server misses {done['missing_seqs']} and {done['unanswered']}")
        return n_trials

    def _entries(
        self, presentations: list[dict[str, Any]], confidence_levels: int | None
    ) -> list[dict[str, Any]]:
        elapsed, entries = 0.0, []
        keys = answer_keys([shown["id"] for shown in presentations])
        for seq, shown in enumerate(presentations, start=1):
            key = keys[shown["id"]]
            rng = random.Random(f"{self.rng_seed}:{key.name}")  # noqa: S311 - simulated, not secret
            rt = round(rng.uniform(FASTEST_MS, SLOWEST_MS), 1)
            elapsed += rt
            p_target = 1.0 if shown["feedback"] else self.p_target  # everybody passes the practice
            payload = {
                "presentation": shown["id"],
                "answers": _answers(rng, key.positions, len(shown["options"]), p_target),
                "rt": round(rt),
                "rt_raw_ms": rt,
                "time_elapsed": round(elapsed),
                "trial_type": "bot",
                "trial_index": shown["position"],
                "confidence": rng.randint(1, confidence_levels) if confidence_levels else None,
            }
            entries.append({"seq": seq, "kind": "response", "payload": payload})
        return entries

    def _questionnaire(self, questions: list[dict[str, Any]]) -> dict[str, Any]:
        rng = random.Random(f"{self.rng_seed}:questionnaire")  # noqa: S311 - simulated, not secret
        return {question["name"]: _some_answer(rng, question) for question in questions}

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Session {self.token}"} if self.token else {}
        response = self.client.request(method, path, json=body, headers=headers)
        if response.is_error:
            raise BotError(f"{method} {path} was refused with {response.status_code}: {response.text[:500]}")
        try:
            answer: dict[str, Any] = response.json()
        except ValueError:
            raise BotError(f"{method} {path} was answered, but not by this site's API") from None
        return answer


def _asked(presentations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What somebody is asked who passes the first round of practice."""
    practice = [shown["block"] for shown in presentations if shown["feedback"]]
    return [shown for shown in presentations if not shown["feedback"] or shown["block"] == min(practice)]


def _answers(
    rng: random.Random, answers: dict[int, int], n_options: int, p_target: float
) -> list[dict[str, int]]:
    """All right with probability `p_target`, else all wrong: every reference's option moved by the same."""
    moved = 0 if rng.random() < p_target else rng.randrange(1, n_options)
    return [
        {"reference": index, "option": (position + moved) % n_options}
        for index, position in sorted(answers.items())
    ]


def _some_answer(rng: random.Random, question: dict[str, Any]) -> Any:
    """Any answer that the question takes."""
    if question["choices"]:
        value = rng.choice(question["choices"])[0]
        return [value] if question["kind"] == "choices" else value
    if question["kind"] in ("number", "scale"):
        low = 0 if question["minimum"] is None else question["minimum"]
        return rng.randint(low, low + 10 if question["maximum"] is None else question["maximum"])
    return "answered by a bot"


@dataclass(frozen=True)
class AnswerKey:
    """`name` is the trial's number, marked for a repeat; by reference index the shown place of its answer."""

    name: str
    positions: dict[int, int]


def answer_keys(presentation_ids: list[str]) -> dict[str, AnswerKey]:
    """By presentation id."""
    shown = Presentation.objects.filter(pk__in=presentation_ids).prefetch_related("trial__references__answer")
    return {str(presentation.pk): _key(presentation) for presentation in shown}


def _key(presentation: Presentation) -> AnswerKey:
    return AnswerKey(
        name=f"{presentation.trial.number}{':again' if presentation.repeat_of_id else ''}",
        positions={
            reference.index: presentation.option_order.index(reference.answer.index)
            for reference in presentation.trial.references.all()
        },
    )
