"""Whatever the network does between a participant and the server, what is stored is what was answered."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.benchmarks.load.bots import Said
from tests.benchmarks.load.oracle import Difference, compare
from tests.e2e.bad_network import BadNetwork, Trouble
from tests.e2e.participant import LEFT, Participant, by_arrow, by_either_key, by_mouse
from tests.e2e.survey import SurveySite
from tests.participation.visitor import response

pytestmark = pytest.mark.broker
expect.set_options(timeout=30_000)

TRIALS = {"walk": 5, "bot": 30}
SEED = int(os.environ.get("CHAOS_SEED", "3"))


@pytest.fixture(scope="module")
def studies(surveys: SurveySite) -> dict[str, str]:
    common = {"n_catch": 0, "completion_code": "CODE", "fixation_ms": 50, "break_every": 0}
    return surveys.open_studies(**{name: {**common, "n": n} for name, n in TRIALS.items()})


@pytest.fixture
def network(surveys: SurveySite) -> Iterator[BadNetwork]:
    with BadNetwork(surveys.lab.servers.port, Trouble(), seed=SEED) as network:
        yield network


class ApiBot:
    """Sends each entry by itself, several at a time and in any order, until it is acknowledged."""

    def __init__(self, network: BadNetwork, study: str) -> None:
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{network.port}", timeout=30)
        info = self.call("GET", f"/api/studies/{study}/")
        started = self.call("POST", "/api/sessions/", {"study": study})
        self.client.headers["Authorization"] = f"Session {started['token']}"
        consent = {"agreed": True, "consent_version": info["consent_version"]}
        self.call("POST", "/api/sessions/me/consent/", consent)
        self.session = started["session_id"]
        self.shown = self.call("GET", "/api/sessions/me/manifest/")["presentations"]
        self.tries = 0

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.request(method, path, json=body).raise_for_status().json()
        return answer

    def persist(self, path: str, body: object) -> dict[str, Any]:
        while True:
            self.tries += 1
            try:
                return self.call("POST", path, body)
            except httpx.TransportError:
                time.sleep(0.05)

    def say(self, said: Said) -> None:
        shown = {"id": said.presentation, "position": said.seq - 1}
        entry = response(said.seq, shown, said.option, rt=said.rt, rt_raw_ms=said.rt)
        assert self.persist("/api/sessions/me/log/", {"entries": [entry]})["acknowledged"] == [said.seq]

    def answers(self, lot: random.Random) -> list[Said]:
        return [
            Said(self.session, seq, shown["id"], lot.randrange(2), round(lot.uniform(300, 3000), 1))
            for seq, shown in enumerate(self.shown, start=1)
        ]


def answer_through(network: BadNetwork, surveys: SurveySite, *, offline_s: float) -> None:
    """A whole session by a bot; in its middle the network is gone for a while."""
    bot = ApiBot(network, "study-bot")
    lot = random.Random(SEED)
    answers = bot.answers(lot)
    early = bot.persist("/api/sessions/me/finish/", {"last_seq": len(answers)})
    assert early["missing_seqs"] == list(range(1, len(answers) + 1))
    with ThreadPoolExecutor(6) as pool:
        said = [pool.submit(bot.say, one) for one in lot.sample(answers, len(answers) // 2)]
        network.is_offline = True
        said += [pool.submit(bot.say, one) for one in answers]  # half of them for the second time
        time.sleep(offline_s)
        network.is_offline = False
        for one in said:
            one.result()
    assert bot.persist("/api/sessions/me/finish/", {"last_seq": len(answers)})["complete"] is True
    assert compare(surveys.lab, answers) == Difference(lost=0, doubled=0)
    assert bot.tries > len(said) + 2
    assert all(network.happened[name] > 0 for name in ("dropped", "doubled", "delayed", "refused"))


def test_a_bot_behind_a_bad_network_is_stored_once(
    studies: dict[str, str], surveys: SurveySite, network: BadNetwork
) -> None:
    answer_through(network, surveys, offline_s=1.0)


@pytest.mark.skipif(os.environ.get("CHAOS") != "all", reason="takes a minute: make chaos runs it")
def test_a_minute_without_a_network_loses_nothing(
    studies: dict[str, str], surveys: SurveySite, network: BadNetwork
) -> None:
    answer_through(network, surveys, offline_s=60.0)


@pytest.fixture
def context(network: BadNetwork, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=f"http://127.0.0.1:{network.port}")
    yield context
    context.close()


def goes_on(participant: Participant) -> None:
    """From “Welcome back”, or from the instructions where the server has heard nothing yet."""
    participant.press("Continue")
    expect(participant.option(LEFT)).to_be_visible()


def in_another_tab(participant: Participant) -> Participant:
    other = Participant(participant.page.context.new_page())
    other.chosen = participant.chosen
    return other


def stored(surveys: SurveySite, slug: str) -> list[int]:
    """Sides chosen in the newest session of the study, in the order answered."""
    rows = surveys.lab.rows(
        """
        SELECT e.seq, p.option_order, o.index FROM participation_logentry e
        LEFT JOIN participation_response r ON r.entry_id = e.id
        LEFT JOIN participation_presentation p ON p.id = r.presentation_id
        LEFT JOIN studies_trialoption o ON o.id = r.option_id
        WHERE e.session_id = (
            SELECT s.id FROM participation_studysession s JOIN studies_study y ON y.id = s.study_id
            WHERE y.slug = %s ORDER BY s.created_at DESC LIMIT 1)
        ORDER BY e.seq
        """,
        slug,
    )
    assert [seq for seq, _, _ in rows] == list(range(1, len(rows) + 1)), "the log has a gap"
    return [order.index(chosen) for _, order, chosen in rows if order]


@pytest.mark.e2e
def test_a_reload_at_every_trial_loses_and_doubles_nothing(
    studies: dict[str, str], surveys: SurveySite, network: BadNetwork, context: BrowserContext
) -> None:
    participant = Participant(context.new_page())
    participant.begin(studies["walk"])
    for _ in range(TRIALS["walk"]):
        participant.answer(by_either_key, 1)
        if len(participant.chosen) < TRIALS["walk"]:
            participant.page.reload()
            goes_on(participant)
    assert participant.read_code() == "CODE"
    assert stored(surveys, "study-walk") == participant.chosen


@pytest.mark.e2e
def test_killed_tabs_second_tabs_the_back_button_and_no_network_lose_and_double_nothing(
    studies: dict[str, str], surveys: SurveySite, network: BadNetwork, context: BrowserContext
) -> None:
    participant = Participant(context.new_page())
    participant.begin(studies["walk"])
    network.is_offline = True
    participant.answer(by_arrow, 1)
    expect(participant.page.get_by_text("The connection is slow or down")).to_be_visible()
    participant.page.close()  # with the answer in the browser's database alone
    network.is_offline = False

    first = in_another_tab(participant)
    first.page.goto(studies["walk"])
    goes_on(first)
    first.answer(by_mouse, 1)

    second = in_another_tab(first)
    second.page.goto(studies["walk"])
    second.press("Use this tab")
    goes_on(second)
    expect(first.heading("Already open in another tab")).to_be_visible()
    first.page.keyboard.press("ArrowLeft")  # to a tab that has stopped
    second.answer(by_either_key, 1)

    second.page.goto("about:blank")
    second.page.go_back()
    goes_on(second)
    second.answer(by_arrow)
    assert second.read_code() == "CODE"
    assert stored(surveys, "study-walk") == second.chosen
