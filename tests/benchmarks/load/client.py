"""One kept HTTP connection of a bot: a client library costs more processor time than the bot may take."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

HEAD_ENDS = b"\r\n\r\n"


class Refused(Exception):
    """The server answered, and said no."""


@dataclass
class Connection:
    """`reconnects` counts how often it had to be made again."""

    port: int
    reconnects: int = -1
    _reader: asyncio.StreamReader | None = field(default=None, init=False)
    _writer: asyncio.StreamWriter | None = field(default=None, init=False)

    async def call(self, method: str, path: str, *, token: str = "", body: object = None) -> Any:
        """The JSON that the server answers; it is asked again for as long as the connection breaks."""
        request = request_bytes(method, path, token, body)
        while True:
            try:
                return await self.send(request)
            except (OSError, asyncio.IncompleteReadError):
                await self.close()

    async def send(self, request: bytes) -> Any:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.reconnects += 1
        self._writer.write(request)
        head = await self._reader.readuntil(HEAD_ENDS)
        status, length, closes = read_head(head)
        answer = await self._reader.readexactly(length)
        if closes:
            await self.close()
        if status >= 400:
            raise Refused(f"{request.partition(b' HTTP')[0].decode()}: {status} {answer[:500].decode()}")
        return json.loads(answer)

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def request_bytes(method: str, path: str, token: str = "", body: object = None) -> bytes:
    """A whole request; encoded before the clock starts."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Session {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode() + content


def read_head(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, and whether the server closes the connection after it."""
    lower = head.lower()
    length = int(lower.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    return int(head[9:12]), length, b"connection: close" in lower
