"""Versions of what computes the figures."""

import tomllib
from functools import cache
from importlib.metadata import version

from django.conf import settings

LIBRARIES = ("numpy", "scipy")


@cache
def versions() -> dict[str, str]:
    """Of this code and of the libraries that compute."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    return {"code": str(project["project"]["version"]), **{name: version(name) for name in LIBRARIES}}
