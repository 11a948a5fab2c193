import stat
from pathlib import Path

import pytest

from survey_site.stack.connection import (
    ConnectionFileError,
    EmbeddedConnection,
    connection_file,
    embedded_connection,
    save_connection,
)

CONNECTION = EmbeddedConnection(database_url="postgres://a", broker_url="redis://b")


def test_none_before_anything_was_started(tmp_path: Path) -> None:
    assert embedded_connection(tmp_path) is None


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    save_connection(tmp_path, CONNECTION)
    assert embedded_connection(tmp_path) == CONNECTION


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    connection_file(tmp_path).parent.mkdir()
    connection_file(tmp_path).touch(mode=0o644)
    save_connection(tmp_path, CONNECTION)
    assert stat.S_IMODE(connection_file(tmp_path).stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"database_url": "postgres://a"}'])
def test_a_broken_file_is_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    connection_file(tmp_path).parent.mkdir()
    connection_file(tmp_path).write_text(text)
    with pytest.raises(ConnectionFileError, match=r"connection\.json does not name .* start the stack again"):
        embedded_connection(tmp_path)
