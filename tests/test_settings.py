"""A bad value in the environment stops the start and names its variable."""

import importlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

import survey_site.settings


class Site:
    """The settings as another environment would give them, in an empty VAR_DIR."""

    def __init__(self, var_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.var_dir, self._patch = var_dir, monkeypatch
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("VAR_DIR", str(var_dir))

    def settings(self, **variables: str) -> ModuleType:
        with self._patch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            return importlib.reload(survey_site.settings)

    def refusal(self, name: str, value: str) -> str:
        with pytest.raises(ImproperlyConfigured) as refused:
            self.settings(**{name: value})
        return str(refused.value)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        yield Site(tmp_path / "var", patch)
    importlib.reload(survey_site.settings)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DEBUG", "maybe", "DEBUG is 'maybe'; allowed: 0, 1, false, no, off, on, true, yes"),
        ("SECURE_SSL", "2", "SECURE_SSL is '2'; allowed:"),
        ("IRI_CHUNK_SIZE", "0", "IRI_CHUNK_SIZE is 0; it must be at least 1"),
        ("IRI_LEASE_SECONDS", "4", "IRI_LEASE_SECONDS is 4; it must be at least 5"),
        ("IRI_SWEEP_SECONDS", "often", "IRI_SWEEP_SECONDS is 'often'; it must be a whole number"),
        ("EXPORT_DAYS", "0", "EXPORT_DAYS is 0; it must be at least 1"),
        ("IRI_MAX_ATTEMPTS", "-1", "IRI_MAX_ATTEMPTS is -1; it must be at least 1"),
        ("IMAGE_MAX_PIXELS", "4e7", "IMAGE_MAX_PIXELS is '4e7'; it must be a whole number"),
        ("IMAGE_MAX_BYTES", "0", "IMAGE_MAX_BYTES is 0; it must be at least 1"),
        (
            "EMAIL_URL",
            "mail.lab.org",
            "EMAIL_URL is 'mail.lab.org'; it must begin with smtp:// or smtp+tls://",
        ),
        ("EMAIL_URL", "smtp://h:x", "EMAIL_URL cannot be read as an address"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL is 'LOUD'; allowed: DEBUG, INFO, WARNING, ERROR"),
        ("PUBLIC_URL", "lab.org", "PUBLIC_URL is 'lab.org'; it must begin with http:// or https://"),
        ("CSRF_TRUSTED_ORIGINS", "lab.org", "CSRF_TRUSTED_ORIGINS is 'lab.org'; it must begin with"),
        ("CELERY_BROKER_URL", "amqp://a", "CELERY_BROKER_URL is 'amqp://a'; it must begin with redis://"),
        ("DATABASE_URL", "lab", "DATABASE_URL cannot be read"),
        ("DATABASE_URL", "oracle9://x/y", "DATABASE_URL cannot be read"),
        ("DATABASE_URL", "sqlite:///db", "DATABASE_URL must be a postgres:// address; only PostgreSQL"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL must be a postgres:// address; only PostgreSQL"),
    ],
)
def test_a_bad_value_is_named(site: Site, name: str, value: str, message: str) -> None:
    assert site.refusal(name, value).startswith(message)


def test_a_password_in_a_bad_address_is_not_told(site: Site) -> None:
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        assert "hunter2" not in site.refusal(name, "mysql://me:hunter2@host/x")
        assert "hunter2" not in site.refusal(name, "postgresq://me:hunter2@host:port/x")


def test_good_values_are_taken(site: Site) -> None:
    made = site.settings(
        DATABASE_URL="postgres://me:pw@db:5433/lab",
        CELERY_BROKER_URL="redis://:pw@broker:6379/2",
        ALLOWED_HOSTS="lab.org, www.lab.org",
        PUBLIC_URL="https://lab.org/",
        CSRF_TRUSTED_ORIGINS="https://lab.org",
        SECURE_SSL="yes",
        MEDIA_ROOT="/srv/media",
    )
    database = made.DATABASES["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db", 5433, "lab")
    assert made.CELERY_BROKER_URL == "redis://:pw@broker:6379/2"
    assert made.ALLOWED_HOSTS == ["lab.org", "www.lab.org"]
    assert made.PUBLIC_URL == "https://lab.org"
    assert made.SESSION_COOKIE_SECURE is made.CSRF_COOKIE_SECURE is made.SECURE_SSL_REDIRECT is True
    assert made.SECURE_HSTS_SECONDS > 0
    assert Path("/srv/media") == made.MEDIA_ROOT


def test_nothing_is_needed_where_nothing_runs(site: Site) -> None:
    made = site.settings()
    assert made.DEBUG is False
    assert made.CELERY_BROKER_URL == ""
    assert "start-the-stack-with-make-up" in made.DATABASES["default"]["NAME"]
    assert site.var_dir == made.VAR_DIR


def test_each_site_makes_a_key_of_its_own_once_and_keeps_it_private(site: Site) -> None:
    first = site.settings().SECRET_KEY
    assert len(first) > 50
    assert first == site.settings().SECRET_KEY
    file = site.var_dir / "secret_key"
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert os.listdir(site.var_dir) == ["secret_key"]
    file.unlink()
    assert first != site.settings().SECRET_KEY
    assert site.settings(SECRET_KEY="given").SECRET_KEY == "given"


def test_there_is_no_way_to_switch_the_participants_checks_off() -> None:
    assert survey_site.settings.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] == [
        "rest_framework.permissions.IsAuthenticated"
    ]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtp://mail.lab.org", ("mail.lab.org", 25, "", "", False, False)),
        ("smtp+tls://me:p%40ss%2F@mail.lab.org", ("mail.lab.org", 587, "me", "p@ss/", True, False)),
        (
            "smtps://me%40lab.org:pw@mail.lab.org:4650",
            ("mail.lab.org", 4650, "me@lab.org", "pw", False, True),
        ),
    ],
)
def test_the_mail_server_is_read_from_its_address(site: Site, url: str, wanted: tuple[object, ...]) -> None:
    made = site.settings(EMAIL_URL=url, PUBLIC_URL="https://survey.lab.org")
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    assert tuple(getattr(made, f"EMAIL_{name}") for name in names) == wanted
    assert made.DEFAULT_FROM_EMAIL == "IRISurvey <irisurvey@survey.lab.org>"
    assert "tell-people-by-mail" in made.CELERY_BEAT_SCHEDULE


def test_without_a_mail_server_nobody_looks_for_news(site: Site) -> None:
    assert "tell-people-by-mail" not in site.settings().CELERY_BEAT_SCHEDULE
