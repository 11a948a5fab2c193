"""Environment variables are read with a type; a bad value names the variable and what is allowed."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from survey_site.environment import (
    env_bool,
    env_choice,
    env_int,
    env_list,
    env_path,
    env_str,
    env_url,
    env_urls,
)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("X", raising=False)
    return monkeypatch


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_an_unset_or_empty_variable_is_the_default(given: pytest.MonkeyPatch, empty: str | None) -> None:
    if empty is not None:
        given.setenv("X", empty)
    assert env_str("X", "default") == "default"
    assert env_bool("X", True) is True
    assert env_int("X", 7) == 7
    assert env_list("X", ["a"]) == ["a"]
    assert env_choice("X", "a", ["a", "b"]) == "a"
    assert env_path("X", Path("/default")) == Path("/default")
    assert env_url("X", "", schemes=["http"]) == ""
    assert env_urls("X", schemes=["http"]) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", True),
        ("TRUE", True),
        ("Yes", True),
        ("on", True),
        ("0", False),
        ("False", False),
        ("off", False),
    ],
)
def test_truth_has_several_spellings(given: pytest.MonkeyPatch, text: str, value: bool) -> None:
    given.setenv("X", text)
    assert env_bool("X", not value) is value


def test_values_are_read_as_their_type(given: pytest.MonkeyPatch) -> None:
    given.setenv("X", " 12 ")
    assert env_int("X", 0) == 12
    given.setenv("X", "a, b,,c ")
    assert env_list("X", []) == ["a", "b", "c"]
    given.setenv("X", "relative/place")
    assert env_path("X", Path("/")) == Path("relative/place").resolve()
    given.setenv("X", "https://a.org,http://b.org:8000")
    assert env_urls("X", schemes=["http", "https"]) == ["https://a.org", "http://b.org:8000"]


def test_bad_values_are_named_with_what_is_allowed(given: pytest.MonkeyPatch) -> None:
    def message(text: str, read: object) -> str:
        given.setenv("X", text)
        with pytest.raises(ImproperlyConfigured) as refused:
            read()  # type: ignore[operator]
        return str(refused.value)

    assert message("maybe", lambda: env_bool("X", False)) == (
        "X is 'maybe'; allowed: 0, 1, false, no, off, on, true, yes"
    )
    assert message("many", lambda: env_int("X", 1)) == "X is 'many'; it must be a whole number"
    assert message("1.5", lambda: env_int("X", 1)) == "X is '1.5'; it must be a whole number"
    assert message("4", lambda: env_int("X", 5, minimum=5)) == "X is 4; it must be at least 5"
    assert message("c", lambda: env_choice("X", "a", ["a", "b"])) == "X is 'c'; allowed: a, b"
    assert message("a.org", lambda: env_url("X", "", schemes=["http", "https"])) == (
        "X is 'a.org'; it must begin with http:// or https:// and name a host"
    )
    assert message("amqp://me:secret@host", lambda: env_url("X", "", schemes=["redis"])) == (
        "X is 'amqp://…@host'; it must begin with redis:// and name a host"
    )
    assert message("http://a.org:port", lambda: env_url("X", "", schemes=["http"])).startswith(
        "X cannot be read as an address"
    )
