"""How the embedded servers are reached: one private file, written by the stack and read by the settings.

Standard library only, because the settings import it before anything else is known.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


class ConnectionFileError(Exception):
    """The file that names the embedded servers cannot be used as it stands."""


@dataclass(frozen=True)
class EmbeddedConnection:
    """Addresses of the embedded servers, passwords included."""

    database_url: str
    broker_url: str


def connection_file(var_dir: Path) -> Path:
    return var_dir / "embedded" / "connection.json"


def embedded_connection(var_dir: Path) -> EmbeddedConnection | None:
    """Addresses of the embedded servers whose data lie in `var_dir`; None where none were ever started.

    Raises ConnectionFileError if the file is there but is not what `save_connection` wrote.
    """
    path = connection_file(var_dir)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(text)
        return EmbeddedConnection(
            database_url=str(fields["database_url"]), broker_url=str(fields["broker_url"])
        )
    except (ValueError, TypeError, KeyError) as error:
        raise ConnectionFileError(
            f"{path} does not name database_url and broker_url ({error!r}); "
            "remove it and start the stack again: a new one is written, the data stay"
        ) from error


def save_connection(var_dir: Path, connection: EmbeddedConnection) -> None:
    """Write the file for its owner's eyes only, in one step, so that no reader sees half of it."""
    write_private(connection_file(var_dir), json.dumps(asdict(connection), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace `path` by a file of mode 0600; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
