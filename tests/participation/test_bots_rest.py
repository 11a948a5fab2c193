"""Pilot bots over REST."""

from __future__ import annotations

import pytest

from survey_site.access.models import Role
from survey_site.participation.pilot_models import PilotRun
from tests.access.caller import Caller
from tests.builders import draft_study, member, opened_study

pytestmark = pytest.mark.django_db


def test_bots_are_sent_once_at_a_time_and_watched() -> None:
    study = opened_study()
    caller = Caller(member(Role.EDITOR, study))
    sent = caller.send("POST", "studies/faces/bots/", {"n_bots": 3}, status=202)
    assert (sent["state"], sent["n_bots"], sent["p_target"]) == ("waiting", 3, 0.8)
    assert caller.get(f"studies/faces/bots/{sent['id']}/") == sent
    assert "still at it" in caller.send("POST", "studies/faces/bots/", {}, status=409)["detail"]
    PilotRun.objects.update(state="done", n_finished=3)
    assert caller.get("studies/faces/bots/")["results"][0]["n_finished"] == 3
    assert caller.send("GET", f"studies/faces/bots/{sent['id'] + 1}/", status=404)["code"] == "not_found"


@pytest.mark.parametrize("body", [{"n_bots": 0}, {"n_bots": 501}, {"p_target": 1.1}, {"n_bots": "many"}])
def test_senseless_bots_are_refused(body: dict[str, object]) -> None:
    caller = Caller(member(Role.EDITOR, opened_study()))
    refused = caller.send("POST", "studies/faces/bots/", body, status=422)
    assert refused["errors"][0]["path"] in body


def test_a_draft_takes_no_pilots() -> None:
    caller = Caller(member(Role.EDITOR, draft_study()))
    assert (
        "only a pilot or an open study"
        in caller.send("POST", "studies/faces/bots/", {}, status=409)["detail"]
    )
