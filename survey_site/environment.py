"""Environment variables read with a type; a bad value stops the start and names the variable."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


def env_str(name: str, default: str = "") -> str:
    """The variable's text; an empty one counts as unset, as docker compose passes unset variables."""
    return os.environ.get(name, "").strip() or default


def env_bool(name: str, default: bool) -> bool:
    value = env_str(name)
    if not value:
        return default
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}; allowed: {', '.join(sorted(TRUE | FALSE))}")


def env_int(name: str, default: int, *, minimum: int = 0) -> int:
    value = env_str(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be a whole number") from None
    if number < minimum:
        raise ImproperlyConfigured(f"{name} is {number}; it must be at least {minimum}")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    value = env_str(name)
    return [item.strip() for item in value.split(",") if item.strip()] if value else default


def env_choice(name: str, default: str, allowed: list[str]) -> str:
    value = env_str(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; allowed: {', '.join(allowed)}")
    return value


def env_url(name: str, default: str = "", *, schemes: list[str]) -> str:
    """An address with one of the schemes and a host; an empty one stays empty."""
    value = env_str(name, default)
    return value and checked_url(name, value, schemes)


def env_urls(name: str, *, schemes: list[str]) -> list[str]:
    return [checked_url(name, value, schemes) for value in env_list(name, [])]


def checked_url(name: str, value: str, schemes: list[str]) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - a port that is no number raises here
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} cannot be read as an address: {error}") from None
    if parts.scheme not in schemes or not parts.netloc:
        wanted = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ImproperlyConfigured(
            f"{name} is {_shown(value)!r}; it must begin with {wanted} and name a host"
        )
    return value


def _shown(url: str) -> str:
    """Without the password that an address may carry."""
    return re.sub(r"//[^/@]*@", "//…@", url)


def env_path(name: str, default: Path) -> Path:
    value = env_str(name)
    return Path(value).resolve() if value else default
