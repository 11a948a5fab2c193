"""Where the demo can be seen, as text to print."""

import os
import sys
import time
from pathlib import Path

from django.conf import settings

from survey_site.stack.errors import StackError
from survey_site.stack.options import BASE_DIR, StackOptions
from survey_site.stack.processes import serves
from survey_site.studies.models import Study

POLL_SECONDS = 0.5
WEB_SECONDS = 120.0


def wait_for_web() -> None:
    """So that no address is printed before it can be opened."""
    port = StackOptions.from_environment().port
    deadline = time.monotonic() + WEB_SECONDS
    while not serves(port):
        if time.monotonic() > deadline:
            raise StackError(f"the web server does not answer on port {port}; see var/log/web.log")
        time.sleep(POLL_SECONDS)


def addresses(study: Study, login: str, password: str | None) -> str:
    """The study's addresses; with the researcher's login and the site's own where a password is given."""
    site = settings.PUBLIC_URL
    lines = [
        "",
        f"The study “{study.slug}” is {study.get_status_display().lower()}:",
        f"  take it           {site}/s/{study.slug}/",
        f"  its results       {site}/admin/results/{study.slug}/?mode=pilot",
        f"  fill it with bots {bots_command(study)}",
    ]
    if password:
        lines += [
            f"  the admin         {site}/admin/",
            f"  log in as         {login}",
            f"  with password     {password}",
        ]
    return "\n".join([*lines, ""])


def bots_command(study: Study) -> str:
    """As somebody types it in another terminal: told there what this run was told."""
    python = Path(sys.executable)
    if python.is_relative_to(BASE_DIR):
        python = python.relative_to(BASE_DIR)
    words = [f"{name}={value}" for name, value in _told().items()]
    return " ".join([*words, f"{python} manage.py simulate_participants {study.slug} --n 30 --p-target 0.8"])


def _told() -> dict[str, str]:
    told = {}
    if os.environ.get("VAR_DIR") != str(BASE_DIR / "var"):
        told["VAR_DIR"] = os.environ["VAR_DIR"]
    if settings.PUBLIC_URL != "http://127.0.0.1:8000":
        told["PUBLIC_URL"] = settings.PUBLIC_URL
    return told
