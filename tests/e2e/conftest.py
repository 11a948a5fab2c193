"""A browser, and a whole site of real processes to look at with it."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.researcher import Researcher
from tests.e2e.survey import SurveySite
from tests.lab import Lab
from tests.servers import StackServers

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
LOGIN, PASSWORD = "researcher", "a password that only this test knows"
START_SECONDS = 180.0


def find_chromium() -> str:
    """The machine's own Chromium; a missing one fails the tests, since they would show nothing without it."""
    wanted = os.environ.get("CHROMIUM", "")
    found = wanted or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.fail(
            f"no browser: none of {', '.join(CHROMIUMS)} is on PATH. Install one (Debian: apt-get install "
            "chromium), name it (CHROMIUM=/path/to/it), or leave these tests out: make test E2E=no"
        )
    return found


# Not of the session: while it lives, Django takes this thread for an event loop's.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(stack_servers: StackServers) -> Iterator[Lab]:
    """The stack as `make up` runs it, with a researcher's account; small chunks, so that progress has
    steps.
    """
    site = Lab(stack_servers, IRI_CHUNK_SIZE="1", IRI_SWEEP_SECONDS="2")
    try:
        stack = site.start("stack", "-m", "survey_site.stack", "up")
        site.wait(
            lambda: "IRISurvey runs at" in site.last_words("stack") or stack.poll() is not None,
            START_SECONDS,
            what="the stack starts",
            log="stack",
        )
        assert stack.poll() is None, site.last_words("stack")
        _create_researcher(site)
        yield site
    finally:
        site.close()


def _create_researcher(lab: Lab) -> None:
    lab.succeed(
        *("createsuperuser", "--noinput", "--username", LOGIN, "--email", "researcher@lab.example"),
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )


@pytest.fixture(scope="session")
def surveys(shared_servers: StackServers) -> Iterator[SurveySite]:
    """A real web server, without workers, with a researcher's account; modules name their studies apart."""
    lab = Lab(shared_servers)
    try:
        site = SurveySite(lab)
        site.start()
        _create_researcher(lab)
        yield site
    finally:
        lab.close()


@pytest.fixture(scope="module")
def researcher(site: Lab, browser: Browser) -> Iterator[Researcher]:
    context = browser.new_context(base_url=site.servers.public_url, viewport={"width": 1280, "height": 900})
    researcher = Researcher(context.new_page())
    researcher.log_in(LOGIN, PASSWORD)
    yield researcher
    context.close()
