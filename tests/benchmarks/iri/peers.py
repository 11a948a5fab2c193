"""Loops to be compared, each in a process of its own: none changes another's memory or settings."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Loop:
    """`step` is what is timed; `errors` gives the least relative error of each image so far."""

    step: Callable[[], object]
    errors: Callable[[], list[float]]


class Peer:
    """A loop that another process made and runs, one step when asked.

    `make`: a module's function, called there with `arguments`. What it raises is raised here.
    """

    def __init__(self, make: Callable[..., Loop], *arguments: object) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other, make, arguments), daemon=True)
        self._process.start()
        other.close()

    def step(self) -> float:
        """Seconds that one step took."""
        return float(self._ask("step"))

    def errors(self) -> list[float]:
        return list(self._ask("errors"))

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(10)
        self._process.kill()


def _serve(pipe: Connection, make: Callable[..., Loop], arguments: tuple[object, ...]) -> None:
    try:
        loop = make(*arguments)
        while True:
            pipe.send(_timed(loop.step) if pipe.recv() == "step" else loop.errors())
    except EOFError:
        return
    except Exception as error:
        pipe.send(error)


def _timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
