"""Pilot bots answer a study over real HTTP, and the score finds their probability again."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from survey_site.analysis.services import score_study
from survey_site.participation.models import Mode, SessionState, StudySession
from survey_site.stack.ports import free_port
from survey_site.studies.services import close_study
from tests.builders import opened_study

pytestmark = pytest.mark.django_db


def simulate(study: str, *options: str, url: str) -> str:
    out = io.StringIO()
    call_command("simulate_participants", study, "--url", url, *options, stdout=out)
    return out.getvalue()


def refusal(study: str, *options: str, url: str = "http://127.0.0.1:1") -> str:
    with pytest.raises(CommandError) as refused:
        simulate(study, *options, url=url)
    return str(refused.value)


@pytest.mark.django_db(transaction=True)
def test_the_score_recovers_what_the_bots_were_told(live_server: LiveServer, broker: Any) -> None:
    study = opened_study("a", "b", n=6, n_catch=1)
    out = simulate("faces", "--n", "8", "--p-target", "0.8", "--rng-seed", "3", url=live_server.url)
    assert out.startswith("8 pilot sessions finished, 104 trials answered; results: ")
    assert set(StudySession.objects.values_list("mode", "state")) == {(Mode.PILOT, SessionState.FINISHED)}
    assert score_study(study, Mode.REAL) == []
    scores = score_study(study, Mode.PILOT)
    assert len(scores) == 2
    for score in scores:
        interval = score.interval("twoway")
        assert score.n == 48
        assert interval.low <= 0.8 <= interval.high
        assert 0.6 < score.estimate < 0.95


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("p_target", "score"), [("1", 1), ("0", 0)])
def test_bots_that_always_or_never_choose_the_target(
    live_server: LiveServer, broker: Any, p_target: str, score: int
) -> None:
    study = opened_study(n=3)
    simulate("faces", "--n", "2", "--p-target", p_target, "--mode", "real", url=live_server.url)
    assert [one.estimate for one in score_study(study, Mode.REAL)] == [score]


@pytest.mark.django_db(transaction=True)
def test_a_closed_study_takes_no_bots(live_server: LiveServer, broker: Any) -> None:
    close_study(study=opened_study())
    message = refusal("faces", url=live_server.url)
    assert message.startswith("POST /api/sessions/ was refused with 403: ")
    assert '"study_closed"' in message
    assert not StudySession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_server_that_is_not_this_site_is_said_to_be_another(live_server: LiveServer, broker: Any) -> None:
    opened_study()
    message = refusal("faces", url=f"{live_server.url}/elsewhere")
    assert message.startswith("GET /api/studies/faces/ was refused with 404")


def test_an_unknown_study_names_those_there_are() -> None:
    assert refusal("faces") == "there is no study 'faces'; there are: none yet"
    opened_study()
    assert refusal("face") == "there is no study 'face'; there are: faces"


def test_no_server_is_said_with_its_address() -> None:
    opened_study()
    url = f"http://127.0.0.1:{free_port()}"
    message = refusal("faces", url=url)
    assert message.startswith(f"no web server answers at {url} (")
    assert message.endswith("start it, or name it with --url")


def test_numbers_that_cannot_be_are_named_with_those_allowed() -> None:
    opened_study()
    assert refusal("faces", "--p-target", "1.5") == "--p-target is 1.5; allowed: 0 to 1"
    assert refusal("faces", "--p-target", "nan") == "--p-target is nan; allowed: 0 to 1"
    assert refusal("faces", "--n", "0") == "--n is 0; at least 1 bot is needed"
