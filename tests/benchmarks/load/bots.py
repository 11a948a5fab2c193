"""Bots that answer a study, one request an answer, and write down what they said."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.load.client import Connection, request_bytes

LOG = "/api/sessions/me/log/"
AT_ONCE = 8  # bots that prepare


@dataclass(frozen=True)
class Load:
    """What the bots of one process do.

    Each of `bots` has one connection. It makes `sessions` sessions, and then gives `answers` answers, session
    after session. Between two answers it waits `pause_s` give or take `spread_s`, both in seconds.
    """

    port: int
    study: str
    bots: int
    sessions: int
    answers: int
    pause_s: float
    spread_s: float
    seed: int


@dataclass(frozen=True)
class Said:
    """One answer as a bot gave it."""

    session: str
    seq: int
    presentation: str
    option: int
    rt: float


@dataclass
class Report:
    """What was said and acknowledged, and how long each acknowledgement took (seconds, in the same order)."""

    said: list[Said] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    reconnects: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Prepared:
    said: Said
    request: bytes


class Bot:
    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.random = random.Random(f"{load.seed}:{number}")
        self.connection = Connection(load.port)
        self.waiting: list[Prepared] = []
        self.tokens: list[tuple[str, int]] = []

    async def prepare(self) -> None:
        """Start and consent as the page does, and lay the answers ready."""
        call = self.connection.call
        info = await call("GET", f"/api/studies/{self.load.study}/")
        for _ in range(self.load.sessions):
            start = {"study": self.load.study, "mode": "real", "language": "en", "recruitment": {}}
            token = (await call("POST", "/api/sessions/", body=start))["token"]
            consent = {"agreed": True, "consent_version": info["consent_version"]}
            await call("POST", "/api/sessions/me/consent/", token=token, body=consent)
            manifest = await call("GET", "/api/sessions/me/manifest/", token=token)
            room = self.load.answers - len(self.waiting)
            shown = manifest["presentations"][:room]
            self.tokens.append((token, len(shown)))
            self.waiting += [self._answer(manifest["session_id"], token, one) for one in shown]

    def _answer(self, session: str, token: str, shown: dict[str, Any]) -> Prepared:
        seq = shown["position"] + 1
        option = self.random.randrange(len(shown["options"]))
        rt = round(self.random.uniform(300, 3000), 1)
        payload = {
            "presentation": shown["id"],
            "attempt": 1,
            "answers": [{"reference": 0, "option": option}],
            "rt": round(rt),
            "timed_out": False,
            "confidence": None,
            "confidence_rt": None,
            "input": "key",
            "rt_raw_ms": rt,
            "onset_frame_ms": round(self.random.uniform(1e3, 1e6), 1),
            "refresh_hz": 60.0,
            "frames_dropped": 0,
            "focus_lost": 0,
            "image_size": 256,
            "time_elapsed": seq * 1000,
            "trial_type": "iri-two-afc",
            "trial_index": shown["position"],
        }
        entry = {"seq": seq, "kind": "response", "payload": payload}
        return Prepared(
            said=Said(session, seq, shown["id"], option, rt),
            request=request_bytes("POST", LOG, token, {"entries": [entry]}),
        )

    async def answer_all(self, report: Report) -> None:
        await asyncio.sleep(self.random.uniform(0, self.load.pause_s))
        for prepared in self.waiting:
            began = time.perf_counter()
            await self._until_acknowledged(prepared)
            report.latencies.append(time.perf_counter() - began)
            report.said.append(prepared.said)
            if self.load.pause_s:
                spread = self.random.uniform(-self.load.spread_s, self.load.spread_s)
                await asyncio.sleep(max(0.0, self.load.pause_s + spread))

    async def _until_acknowledged(self, prepared: Prepared) -> None:
        while True:
            try:
                reply = await self.connection.send(prepared.request)
            except (OSError, asyncio.IncompleteReadError):
                await self.connection.close()
                continue
            assert reply["acknowledged"] == [prepared.said.seq], reply
            return

    async def finish(self) -> None:
        """Whoever answered all gets the code, as the page does."""
        for token, answered in self.tokens:
            path = "/api/sessions/me/finish/"
            reply = await self.connection.call("POST", path, token=token, body={"last_seq": answered})
            missing = {key: reply[key] for key in ("missing_seqs",) if reply.get(key)}
            assert not missing, missing
        await self.connection.close()


def drive(load: Load, steps: Any) -> Report:
    """Run the bots of one process. `steps`: say that they are ready, wait for the start, say that they have
    answered, wait before leaving.
    """
    return asyncio.run(_drive(load, *steps))


async def _drive(load: Load, ready: Any, start: Any, answered: Any, leave: Any) -> Report:
    bots = [Bot(load, number) for number in range(load.bots)]
    for few in range(0, len(bots), AT_ONCE):
        await asyncio.gather(*(bot.prepare() for bot in bots[few : few + AT_ONCE]))
    ready.release()
    await asyncio.to_thread(start.wait)
    report = Report(began=time.time(), cpu_seconds=-time.process_time())
    await asyncio.gather(*(bot.answer_all(report) for bot in bots))
    report.ended = time.time()
    report.cpu_seconds += time.process_time()
    answered.release()
    await asyncio.to_thread(leave.wait)
    for bot in bots:
        report.reconnects += bot.connection.reconnects
        await bot.finish()
    return report
