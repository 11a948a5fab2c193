"""The embedded servers as clients see them; started once, and once more to see that nothing was lost."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from survey_site.stack import postgres
from survey_site.stack.children import wait_until
from survey_site.stack.embedded import EmbeddedServers
from survey_site.stack.errors import StackError

ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module")
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `mktemp -d` makes it: nobody but its owner passes through."""
    folder = tmp_path_factory.mktemp("private")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="module")
def servers(private_folder: Path) -> Iterator[EmbeddedServers]:
    with EmbeddedServers(private_folder / "var") as servers:
        yield servers


def query(url: str, statement: str) -> list[tuple]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_postgres_keeps_its_promises(servers: EmbeddedServers) -> None:
    settings = {
        "listen_addresses": "127.0.0.1",
        "fsync": "on",
        "password_encryption": "scram-sha-256",
        "server_encoding": "UTF8",
    }
    for name, value in settings.items():
        assert query(servers.postgres.url, f"SHOW {name}") == [(value,)], name
    assert query(servers.postgres.url, "SHOW server_version_num")[0][0].startswith("18")


def test_the_platforms_role_is_no_superuser(servers: EmbeddedServers) -> None:
    assert query(servers.postgres.url, "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = user") == [
        (False, True)
    ]


@pytest.mark.parametrize("name", ["irisurvey", "postgres"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_postgres_refuses_a_wrong_password(servers: EmbeddedServers, name: str, password: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(
            host="127.0.0.1", port=servers.postgres.port, user=name, password=password, dbname="irisurvey"
        )


def test_the_broker_refuses_a_wrong_password(servers: EmbeddedServers) -> None:
    for password in (None, "wrong"):
        with (
            redis.Redis(port=servers.broker.port, password=password, retry=ONCE) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()


def test_postgres_opens_no_socket_file(servers: EmbeddedServers) -> None:
    lines = (servers.postgres.data / "postmaster.pid").read_text().splitlines()
    assert (lines[3], lines[4]) == (str(servers.postgres.port), "")


def test_no_password_shows_in_the_process_list(servers: EmbeddedServers) -> None:
    for server in (servers.postgres, servers.broker):
        assert server.child
        assert server.password not in Path(f"/proc/{server.child.pid}/cmdline").read_text()
        assert server.password not in server.log.read_text()


def test_postgres_does_not_run_as_root(servers: EmbeddedServers) -> None:
    assert servers.postgres.child
    status = Path(f"/proc/{servers.postgres.child.pid}/status").read_text()
    user = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert user == str(os.geteuid()) if os.geteuid() else user != "0"


def test_folders_above_stay_private(servers: EmbeddedServers, private_folder: Path) -> None:
    assert stat.S_IMODE(private_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(servers.postgres.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(servers.postgres.superuser_file.stat().st_mode) == 0o600


def test_data_ports_and_passwords_survive_a_restart(servers: EmbeddedServers) -> None:
    query(servers.postgres.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with redis.Redis.from_url(servers.broker.url) as client:
        client.set("kept", "42")
    servers.stop()
    again = EmbeddedServers(servers.var_dir)
    assert (again.postgres.url, again.broker.url) == (servers.postgres.url, servers.broker.url)
    with again:
        assert query(again.postgres.url, "SELECT answer FROM kept") == [(42,)]
        with redis.Redis.from_url(again.broker.url) as client:
            assert client.get("kept") == b"42"
    servers.start()


def test_a_taken_port_is_exchanged_for_a_free_one(servers: EmbeddedServers) -> None:
    again = EmbeddedServers(servers.var_dir)
    assert again.postgres.port != servers.postgres.port
    assert urlsplit(again.postgres.url).password == servers.postgres.password


def test_what_was_left_running_is_ended_first(servers: EmbeddedServers) -> None:
    """As after kill -9 on a system whose kernel tells children nothing."""
    left_postgres, left_broker = servers.postgres.child, servers.broker.child
    again = EmbeddedServers(servers.var_dir)
    with again:
        assert left_postgres
        assert left_broker
        assert wait_until(lambda: not left_postgres.is_running() and not left_broker.is_running(), 5)
        assert query(again.postgres.url, "SELECT 1") == [(1,)]


def test_where_no_way_works_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ways", lambda: [])
    with pytest.raises(StackError, match=r"Run as an ordinary user, or set DATABASE_URL"):
        EmbeddedServers(tmp_path).start()


def test_a_server_that_cannot_start_shows_its_last_words(tmp_path: Path) -> None:
    servers = EmbeddedServers(tmp_path, database=False)
    (tmp_path / "embedded" / "broker").mkdir(parents=True)
    (tmp_path / "embedded" / "broker" / "appendonlydir").touch()
    with pytest.raises(StackError, match=r"(?s)Broker ended at start .*broker\.log:.*append"):
        servers.start()
    assert servers.broker.child
    assert servers.broker.child.exit_reason() != f"killed by {signal.SIGKILL.name}"
