"""One stack a data folder: the lock is the kernel's, so it ends with its holder, however that ends."""

import fcntl
import os
from pathlib import Path
from typing import IO

from .errors import StackError


class StackLock:
    """Held by the stack that runs on `var_dir`; its file names the holder's process id."""

    def __init__(self, var_dir: Path) -> None:
        self.path = var_dir / "run" / "stack.lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take it; StackError names who has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StackError(
                f"a stack already runs on {self.path.parent.parent}: process {self.holder() or 'unknown'}. "
                "Stop it (make stop), or choose another folder (VAR_DIR)."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def holder(self) -> int | None:
        """The process that holds it now, None if nobody does."""
        try:
            with self.path.open("r+", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0) or None
        except FileNotFoundError:
            pass
        return None
