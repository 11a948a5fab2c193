"""The servers of a test run: embedded ones in a folder of their own, and outside ones where they are named.

Loaded as a pytest plugin before Django's settings are. No test ever reaches a server that nobody named: what
the environment says about a database or a broker is replaced by the embedded ones. TEST_DATABASE_URL together
with TEST_CELERY_BROKER_URL name servers on which the tests that take `stack_servers` run once more.
"""

import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest
import redis
from psycopg2 import sql

from survey_site.stack.embedded import EmbeddedServers
from survey_site.stack.ports import free_port
from survey_site.stack.processes import WAIT_POLICY

EMBEDDED_BROKER_NUMBER, SHARED_BROKER_NUMBER = 1, 2
SERVERS = pytest.StashKey[EmbeddedServers]()
# What a developer may have set for a site of their own.
FOREIGN = (
    *(
        "DEBUG",
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SECURE_SSL",
        "PUBLIC_URL",
        "MEDIA_ROOT",
        "STATIC_ROOT",
    ),
    *(
        "IRI_CHUNK_SIZE",
        "IRI_LEASE_SECONDS",
        "IRI_SWEEP_SECONDS",
        "RESULTS_SECONDS",
        "IRI_MAX_ATTEMPTS",
        "EXPORT_BACKGROUND_ROWS",
        "EXPORT_DAYS",
        "EMAIL_URL",
        "EMAIL_FROM",
        "LOG_LEVEL",
        "PORT",
    ),
)


@dataclass(frozen=True)
class StackServers:
    """A new, empty database and an empty broker database, gone after the test module; nothing is migrated
    yet.
    """

    kind: str  # "embedded" or "outside"
    database_url: str
    broker_url: str
    var_dir: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """For the processes that a test starts: `subprocess.Popen(..., env=stack_servers.environment)`."""
        return os.environ | {
            "DATABASE_URL": self.database_url,
            "CELERY_BROKER_URL": self.broker_url,
            "VAR_DIR": str(self.var_dir),
            "PORT": str(self.port),
            "PUBLIC_URL": self.public_url,
        }

    @property
    def public_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    servers = EmbeddedServers(Path(tempfile.mkdtemp(prefix="irisurvey-tests-")))
    early_config.stash[SERVERS] = servers
    early_config.add_cleanup(lambda: _stop(servers))
    connection = servers.start()
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ |= {
        "DATABASE_URL": connection.database_url,
        "CELERY_BROKER_URL": connection.broker_url,
        "VAR_DIR": str(servers.var_dir),
        "SECRET_KEY": "a key for tests, known to everybody",
    }
    os.environ.setdefault("OMP_WAIT_POLICY", WAIT_POLICY)  # before anything imports torch
    yield


def _stop(servers: EmbeddedServers) -> None:
    servers.stop()
    shutil.rmtree(servers.var_dir)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "outside: runs on the servers named by TEST_DATABASE_URL and its like")
    config.addinivalue_line("markers", "embedded_only: not once more on the outside servers")
    if outside := _outside():
        _refuse_used_broker(outside[1])


#: Folders whose tests wait for whole processes; begun first, so that no test process ends with them alone.
LONGEST = ("e2e", "faults", "broker", "stack")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONGEST)


def pytest_report_header(config: pytest.Config) -> list[str]:
    servers = config.stash[SERVERS]
    lines = [f"servers: {_shown(servers.postgres.url)} and {_shown(servers.broker.url)} (embedded)"]
    if outside := _outside():
        lines.append(f"servers: {_shown(outside[0])} and {_shown(outside[1])} (outside, for stack_servers)")
    else:
        lines.append("servers: none outside (TEST_DATABASE_URL and TEST_CELERY_BROKER_URL name them)")
    return lines


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack_servers" not in metafunc.fixturenames:
        return
    kinds = [pytest.param("embedded")]
    if _outside() and not metafunc.definition.get_closest_marker("embedded_only"):
        kinds.append(pytest.param("outside", marks=pytest.mark.outside))
    metafunc.parametrize("stack_servers", kinds, indirect=True, scope="module")


@pytest.fixture(scope="module")
def stack_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackServers]:
    embedded = request.config.stash[SERVERS]
    outside = _outside()
    if request.param == "outside" and outside:
        database_url, broker_url = outside
    else:
        database_url = embedded.postgres.url
        broker_url = _with_path(embedded.broker.url, str(EMBEDDED_BROKER_NUMBER))
    with _own_database(database_url) as own_url, _own_broker(broker_url):
        yield StackServers(
            kind=request.param,
            database_url=own_url,
            broker_url=broker_url,
            var_dir=tmp_path_factory.mktemp("var"),
            port=free_port(),
        )


@pytest.fixture(scope="session")
def shared_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackServers]:
    """Embedded ones for all modules of a process that can share a site."""
    embedded = request.config.stash[SERVERS]
    broker_url = _with_path(embedded.broker.url, str(SHARED_BROKER_NUMBER))
    with _own_database(embedded.postgres.url, "shared") as own_url, _own_broker(broker_url):
        yield StackServers(
            kind="embedded",
            database_url=own_url,
            broker_url=broker_url,
            var_dir=tmp_path_factory.mktemp("shared"),
            port=free_port(),
        )


def _outside() -> tuple[str, str] | None:
    """Addresses of the outside database server and broker; None where none are named."""
    urls = os.environ.get("TEST_DATABASE_URL", ""), os.environ.get("TEST_CELERY_BROKER_URL", "")
    if not any(urls):
        return None
    if not all(urls):
        raise pytest.UsageError("set both TEST_DATABASE_URL and TEST_CELERY_BROKER_URL, or neither")
    database_url, broker_url = urls
    number = urlsplit(broker_url).path.strip("/")
    if not number.isdigit():
        raise pytest.UsageError(
            f"TEST_CELERY_BROKER_URL is {_shown(broker_url)}: it must end in the number of a database "
            "for tests, such as redis://127.0.0.1:6379/9"
        )
    return database_url, _with_path(broker_url, str(int(number) + _process_index()))


def _process_index() -> int:
    """0 for the first of several test processes (and for a single one), 1 for the second."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _refuse_used_broker(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        if keys := client.dbsize():
            raise pytest.UsageError(
                f"the broker database {_shown(url)} holds {keys} keys, so it is in use: "
                "name an empty one in TEST_CELERY_BROKER_URL"
            )


@contextmanager
def _own_broker(url: str) -> Iterator[None]:
    """Empty before, and emptied after: this one numbered database and no other."""
    _refuse_used_broker(url)
    try:
        yield
    finally:
        with redis.Redis.from_url(url) as client:
            client.flushdb()


@contextmanager
def _own_database(server_url: str, label: str = "test") -> Iterator[str]:
    """The address of a new database on that server, dropped afterwards."""
    name = f"irisurvey_{label}_{os.getpid()}"
    _administer(server_url, "CREATE DATABASE {}", name)
    try:
        yield _with_path(server_url, name)
    finally:
        _administer(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def _administer(url: str, statement: str, name: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True  # neither statement runs in a transaction
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    finally:
        connection.close()


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _shown(url: str) -> str:
    """An address without its password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{host}" if parts.username else host))
