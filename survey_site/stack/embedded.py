"""Both embedded servers as one thing: same passwords at every start, same ports while nobody took them."""

import secrets
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from .broker import BrokerServer
from .connection import EmbeddedConnection, embedded_connection, save_connection
from .postgres import PostgresServer


class EmbeddedServers:
    """PostgreSQL and the broker under `var_dir`; either can be left out where an outside one is named."""

    def __init__(self, var_dir: Path, *, database: bool = True, broker: bool = True) -> None:
        known = embedded_connection(var_dir)
        database_url = urlsplit(known.database_url if known else "")
        broker_url = urlsplit(known.broker_url if known else "")
        folder, log = var_dir / "embedded", var_dir / "log"
        self.var_dir = var_dir
        self.postgres = PostgresServer(
            folder / "postgres",
            log=log / "postgres.log",
            password=database_url.password or secrets.token_urlsafe(24),
            port=database_url.port,
        )
        self.broker = BrokerServer(
            folder / "broker",
            log=log / "broker.log",
            password=broker_url.password or secrets.token_urlsafe(24),
            port=broker_url.port,
        )
        self.wanted: list[PostgresServer | BrokerServer] = []
        if database:
            self.wanted.append(self.postgres)
        if broker:
            self.wanted.append(self.broker)

    def start(self) -> EmbeddedConnection:
        """Start what is wanted, write down how it is reached, and return that."""
        connection = EmbeddedConnection(database_url=self.postgres.url, broker_url=self.broker.url)
        save_connection(self.var_dir, connection)
        try:
            for server in self.wanted:
                server.start()
        except BaseException:
            self.stop()
            raise
        return connection

    def stop(self) -> None:
        """The broker first: what it knows can be rung again, what the database knows cannot."""
        for server in reversed(self.wanted):
            server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
