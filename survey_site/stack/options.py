"""What the stack itself is told by environment variables; Django's own settings are in
survey_site.settings.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .connection import embedded_connection
from .errors import StackError

BASE_DIR = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 8000


@dataclass(frozen=True)
class StackOptions:
    """Where the stack keeps its data, where it listens, and which servers of somebody else's it uses."""

    var_dir: Path
    port: int
    public_url: str
    database_url: str  # empty: the embedded PostgreSQL
    broker_url: str  # empty: the embedded broker

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Reads VAR_DIR, PORT, PUBLIC_URL, DATABASE_URL and CELERY_BROKER_URL; an empty one counts as
        unset.
        """

        def text(name: str, default: str = "") -> str:
            return environment.get(name, "").strip() or default

        port = text("PORT", str(DEFAULT_PORT))
        if not port.isdigit() or not 1 <= int(port) <= 65535:
            raise StackError(f"PORT is {port!r}; it must be a number from 1 to 65535")
        return cls(
            var_dir=Path(text("VAR_DIR", str(BASE_DIR / "var"))).resolve(),
            port=int(port),
            public_url=text("PUBLIC_URL", f"http://127.0.0.1:{port}").rstrip("/"),
            database_url=text("DATABASE_URL"),
            broker_url=text("CELERY_BROKER_URL"),
        )

    @property
    def environment(self) -> dict[str, str]:
        """For the processes of this stack. Passwords of the embedded servers stay in their file."""
        return {
            **os.environ,
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "PUBLIC_URL": self.public_url,
            "DJANGO_SETTINGS_MODULE": "survey_site.settings",
        }

    @property
    def broker_address(self) -> str:
        """The broker in use, embedded or not."""
        known = embedded_connection(self.var_dir)
        return self.broker_url or (known.broker_url if known else "")

    def log(self, name: str) -> Path:
        return self.var_dir / "log" / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.var_dir / "run" / f"{name}.pid"
