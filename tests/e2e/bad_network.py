"""A bad network between participants and the server: it drops, doubles, reorders, and is sometimes gone."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}
# What is troubled: the calls of a session that a page repeats by itself, and images.
TROUBLED = ("/api/sessions/me/log/", "/api/sessions/me/finish/", "/images/")


@dataclass(frozen=True)
class Trouble:
    """Chances of each, by request: the reply is lost, the request arrives twice, later ones overtake it."""

    drop: float = 0.1
    double: float = 0.1
    overtake: float = 0.3
    delay_s: tuple[float, float] = (0.0, 0.3)


class BadNetwork:
    """Listens on `port` of loopback and passes on to `server_port`; `happened` counts what it did."""

    def __init__(self, server_port: int, trouble: Trouble, *, seed: int) -> None:
        self.server_port, self.trouble, self.seed = server_port, trouble, seed
        self.is_offline = False
        self.happened: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.network = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> BadNetwork:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fate(self, path: str) -> Fate:
        """Of the next request: it follows from the seed and the requests before it."""
        with self._lock:
            if self.is_offline:
                self.happened["refused"] += 1
                return Fate(is_refused=True)
            if not path.startswith(TROUBLED):
                return Fate()
            self.happened["troubled"] += 1
            lot = random.Random(f"{self.seed}:{self.happened['troubled']}")
            fate = Fate(
                is_dropped=lot.random() < self.trouble.drop,
                is_doubled=lot.random() < self.trouble.double,
                delay_s=lot.uniform(*self.trouble.delay_s) if lot.random() < self.trouble.overtake else 0.0,
            )
            self.happened += Counter(
                dropped=fate.is_dropped, doubled=fate.is_doubled, delayed=fate.delay_s > 0
            )
            return fate


@dataclass(frozen=True)
class Fate:
    is_refused: bool = False
    is_dropped: bool = False
    is_doubled: bool = False
    delay_s: float = 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    network: BadNetwork

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away in the middle is part of it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        network = cast(_Server, self.server).network
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = network.fate(self.path)
        if fate.is_refused:
            self.close_connection = True
            return
        time.sleep(fate.delay_s)
        for _ in range(1 + fate.is_doubled):
            status, headers, answer = self._ask(network.server_port, body)
        if fate.is_dropped:
            self.close_connection = True
            return
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _ask(self, port: int, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(self.command, self.path, body or None, headers)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    do_GET = do_POST = do_HEAD = _pass_on

    def log_message(self, *_: object) -> None:
        """Nothing: what happened is counted."""
