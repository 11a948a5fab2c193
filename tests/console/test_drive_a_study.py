"""The documented example drives a whole study over a real server, from registering the network to the scores.

What the workers do is done beside it in a thread: housekeeping by its own functions, what takes torch by
the services that a worker calls, with pictures of noise.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.db import connection

from survey_site.access.models import Role
from survey_site.analysis.exporting.jobs import write_exports
from survey_site.analysis.results import refresh_results
from survey_site.participation.services.pilots import run_pilots
from survey_site.stack.options import BASE_DIR
from survey_site.stimuli import services
from survey_site.stimuli.models import IRIJob, Network, NetworkState
from survey_site.studies.models import Study
from tests.access.caller import token_of
from tests.builders import SIZE, finish, image_set, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    file = BASE_DIR / "docs" / "examples" / "drive_a_study.py"
    spec = importlib.util.spec_from_file_location("drive_a_study", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    return module


@pytest.fixture
def workers() -> Iterator[None]:
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.1):
            for network in Network.objects.filter(state=NetworkState.PENDING):
                services.record_inspection(
                    network_id=network.pk,
                    layers=[services.FoundLayer(name="pool", depth=0, output_shape=[8], role="pooled")],
                    weights_sha256="of random weights",
                    facts={"input_size": 224},
                )
            for job in IRIJob.objects.unfinished():
                finish(job)
            run_pilots()
            write_exports()
            refresh_results()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.usefixtures("workers")
def test_the_example_drives_a_whole_study(
    example: Any, live_server: Any, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.PUBLIC_URL = live_server.url
    bea = member(Role.VIEWER, image_set(4), name="bea")
    site = example.Site(live_server.url, token_of(bea))
    with pytest.raises(example.Refused, match="not_found"):
        example.ready_network(site, "net")
    words = ["--network", "net", "--architecture", "resnet18", "--layers", "pool", "--image-set", "photos"]
    options = example.parsed([*words, "--bots", "2", "--image-size", str(SIZE)])
    (score,) = example.drive(site, options)
    site.http.close()  # so that the server's thread leaves its connection to the database
    study = Study.objects.get(slug="driven")
    assert study.sessions.filter(mode="pilot", state="finished").count() == 2
    assert score["n"] == 8
    told = capsys.readouterr().out
    assert "open as version 1" in told
    assert "2 bots took it" in told
    assert "10 answers exported" in told
