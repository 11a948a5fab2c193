"""From a pair queued in the admin to a human-alignment score, through a browser, on real processes.

The network is the real one, its images small. The researcher's part is a fixture, on which each of the
participants' tests stands.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import skimage.data
from playwright.sync_api import Browser, expect

from tests.e2e.participant import (
    LEFT,
    RIGHT,
    Participant,
    by_either_key,
    by_letter,
    by_mouse,
    by_touch,
)
from tests.e2e.researcher import Researcher
from tests.lab import Lab

pytestmark = [pytest.mark.e2e, pytest.mark.broker]

PHOTOGRAPHS = ("chelsea.png", "coffee.png", "rocket.jpg")
# So many steps that the page asks for progress a few times before the last IRI is found.
IMAGE_SIZE, STEPS = 64, 80
CODE = "SEEN-7-TIMES"
N_CATCH = 2


@dataclass(frozen=True)
class OpenStudy:
    """The study that the researcher opened, and what the progress bar showed on the way."""

    slug: str
    progress: list[tuple[str, float]]
    refusal: str
    trials: str


def photographs() -> list[Path]:
    return [Path(skimage.data.data_dir) / name for name in PHOTOGRAPHS]


@pytest.fixture(scope="module")
def study(researcher: Researcher, tmp_path_factory: pytest.TempPathFactory) -> OpenStudy:
    """Images, network, pair, IRIs and study, each made in the admin."""
    page = researcher.page
    not_an_image = tmp_path_factory.mktemp("upload") / "notes.png"
    not_an_image.write_text("These are words.")

    researcher.add_image_set("Photographs", [*photographs(), not_an_image])
    expect(page.get_by_role("row", name="notes.png not an image")).to_be_visible()
    expect(page.get_by_role("heading", name="Added (3)")).to_be_visible()

    researcher.register_network("EfficientNet-Lite0", "efficientnet_lite0")
    researcher.wait_until_ready("EfficientNet-Lite0")

    researcher.queue_pair("_avg_pooling", "Photographs", image_size=IMAGE_SIZE, steps=STEPS)
    page.get_by_role("row", name="EfficientNet-Lite0 · _avg_pooling").get_by_role("link").first.click()
    progress = researcher.watch_job()
    expect(page.get_by_role("img", name="IRI of")).to_have_count(len(PHOTOGRAPHS))

    recipe = page.get_by_role("link", name=re.compile("^reg_free")).inner_text()
    researcher.draft_study("Cats and coffee", completion_code=CODE)
    researcher.add_condition(
        "pooled", layer="_avg_pooling", recipe=recipe, image_set="Photographs", include_failed=True
    )
    researcher.add_condition("logits", layer="_fc", recipe=recipe, image_set="Photographs")
    researcher.save("Save and continue editing")
    trials = page.get_by_text("main trials in").inner_text()
    researcher.save("Save and open")
    refusal = page.get_by_text("The study cannot open").inner_text()
    researcher.remove_condition("logits")
    researcher.save("Save and open")
    expect(page.get_by_text("Open as version 1")).to_be_visible()
    return OpenStudy(slug="cats-and-coffee", progress=progress, refusal=refusal, trials=trials)


@pytest.fixture
def participant(site: Lab, browser: Browser) -> Iterator[Participant]:
    """Somebody at a computer, in a browser that knows nothing yet."""
    context = browser.new_context(base_url=site.servers.public_url)
    yield Participant(context.new_page())
    context.close()


@pytest.fixture
def phone_user(site: Lab, browser: Browser) -> Iterator[Participant]:
    context = browser.new_context(
        base_url=site.servers.public_url,
        viewport={"width": 390, "height": 760},
        device_scale_factor=3,
        is_mobile=True,
        has_touch=True,
    )
    yield Participant(context.new_page())
    context.close()


def presentations(site: Lab, mode: str, slug: str) -> list[dict[str, Any]]:
    """Presentations of the newest session in this mode, in the order answered."""
    names = ("position", "order", "kind", "answer", "chosen", "input", "rt", "seq")
    rows = site.rows(
        """
        SELECT p.position, p.option_order, t.kind, key.index, chosen.index, r.input, r.rt, e.seq
        FROM participation_presentation p
        JOIN studies_trial t ON t.id = p.trial_id
        JOIN studies_trialreference ref ON ref.trial_id = t.id
        JOIN studies_trialoption key ON key.id = ref.answer_id
        LEFT JOIN participation_response r ON r.presentation_id = p.id
        LEFT JOIN studies_trialoption chosen ON chosen.id = r.option_id
        LEFT JOIN participation_logentry e ON e.id = r.entry_id
        WHERE p.session_id = (
            SELECT s.id FROM participation_studysession s JOIN studies_study ON studies_study.id = s.study_id
            WHERE s.mode = %s AND studies_study.slug = %s ORDER BY s.created_at DESC LIMIT 1)
        ORDER BY e.seq, p.position
        """,
        mode,
        slug,
    )
    return [dict(zip(names, row, strict=True)) for row in rows]


def log_seqs(site: Lab, mode: str) -> list[int]:
    """Sequence numbers of the newest session in this mode."""
    return site.column(
        """
        SELECT seq FROM participation_logentry WHERE session_id = (
            SELECT id FROM participation_studysession WHERE mode = %s ORDER BY created_at DESC LIMIT 1)
        ORDER BY seq
        """,
        mode,
    )


def assert_stored_once(site: Lab, participant: Participant, mode: str, slug: str) -> list[dict[str, Any]]:
    """Every presentation has one response: the side that was chosen. The log has no gap."""
    shown = presentations(site, mode, slug)
    assert sorted(row["position"] for row in shown) == list(range(len(participant.chosen)))
    assert [row["order"].index(row["chosen"]) for row in shown] == participant.chosen
    assert len({row["seq"] for row in shown}) == len(shown)
    seqs = log_seqs(site, mode)
    assert seqs == list(range(1, len(seqs) + 1))
    return shown


def test_the_bar_moved_while_the_worker_worked(study: OpenStudy) -> None:
    """The texts were gathered by one page that was never reloaded: a reload would have lost them."""
    texts, values = zip(*study.progress, strict=True)
    assert "finished" not in texts[0]
    assert texts[-1] == "3 of 3 · finished"
    assert list(values) == sorted(values)
    assert any(0 < value < 3 for value in values)
    assert values[-1] == 3


def test_a_study_opens_only_once_its_iris_are_there(study: OpenStudy) -> None:
    assert "condition logits: no IRIs were queued for this pair, recipe and image set" in study.refusal
    assert "3 main trials in 2 conditions, 2 catch trials; one participant sees 5" in study.trials


def test_target_iri_and_start_image_stand_side_by_side_with_their_figures(
    study: OpenStudy, researcher: Researcher
) -> None:
    researcher.go_to("IRI jobs")
    row = researcher.page.get_by_role("row", name="EfficientNet-Lite0 · _avg_pooling")
    row.get_by_role("link").first.click()
    figures = researcher.page.get_by_role("figure")
    expect(figures).to_have_count(3)
    for figure, name in zip(figures.all(), PHOTOGRAPHS, strict=True):
        for image in (f"target {name}", f"IRI of {name}", "start image"):
            expect(figure.get_by_role("img", name=image, exact=True)).to_be_visible()
        assert all(figure.get_by_role("img").evaluate_all("images => images.map(i => i.naturalWidth === 64)"))
        words = figure.inner_text()
        error, cosine = (_number_after(term, words) for term in ("Relative error", "Cosine"))
        assert 0 < error < 1
        assert 0 < cosine <= 1
        assert "→" in words


def _number_after(term: str, words: str) -> float:
    return float(words.split(term)[1].split()[0])


def test_a_person_answers_by_keyboard_and_the_score_is_the_share_chosen(
    study: OpenStudy, site: Lab, researcher: Researcher, participant: Participant, tmp_path: Path
) -> None:
    participant.begin(f"/s/{study.slug}/")
    participant.answer(by_either_key)
    assert participant.read_code() == CODE
    assert participant.complaints.texts == []

    shown = assert_stored_once(site, participant, "real", study.slug)
    assert len(shown) == len(PHOTOGRAPHS) + N_CATCH
    assert {row["input"] for row in shown} == {"key"}
    assert all(row["rt"] > 0 for row in shown)
    main = [row for row in shown if row["kind"] == "main"]
    assert {tuple(row["order"]) for row in main} == {(0, 1), (1, 0)}
    share = sum(row["chosen"] == row["answer"] for row in main) / len(main)

    page = researcher.page
    page.goto(f"/admin/results/{study.slug}/")
    researcher.wait_for_results_of(len(shown))
    [row] = researcher.results()
    page.get_by_text("Every interval", exact=True).click()
    [intervals] = researcher.results("Every interval by condition")
    assert float(row["Score"]) == pytest.approx(share, abs=5e-4)
    low, high = _interval(row["95 % interval"])
    assert 0 <= low <= share <= high <= 1
    assert (row["Responses"], row["Participants"], row["Items"]) == ("3", "1", "3")
    expect(page.get_by_role("img", name="Human-alignment scores")).to_be_visible()
    assert researcher.download("Human-alignment scores as PNG", tmp_path).stat().st_size > 10_000
    assert researcher.download("Report (PDF)", tmp_path).read_bytes().startswith(b"%PDF-")

    page.get_by_role("link", name="Export the data").click()
    path = researcher.export("Responses, long", tmp_path)
    assert_rows_match(path, shown)
    [condition] = json.loads(site.succeed("score_csv", path, "--json"))["conditions"]
    assert condition["condition"] == "pooled"
    assert condition["n"] == 3
    assert condition["score"] == pytest.approx(share)
    for column, name in (
        ("Two-way (default)", "twoway"),
        ("Bootstrap (participants)", "bootstrap"),
        ("Wilson", "wilson"),
    ):
        assert _interval(intervals[column]) == pytest.approx(
            (condition[f"{name}_low"], condition[f"{name}_high"]), abs=5e-4
        )
    assert researcher.complaints.texts == []


def _interval(text: str) -> tuple[float, float]:
    """Without the number of a note behind it."""
    low, high = text.partition("[")[0].split("–")
    return float(low), float(high)


def assert_rows_match(path: Path, shown: list[dict[str, Any]]) -> None:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["client_seq"]))
    assert [int(row["client_seq"]) for row in rows] == [row["seq"] for row in shown]
    assert [int(row["response"]) for row in rows] == [row["order"].index(row["chosen"]) for row in shown]
    assert [row["trial_kind"] for row in rows] == [row["kind"] for row in shown]
    assert [row["chose_target"] for row in rows] == [
        str(int(row["chosen"] == row["answer"])) for row in shown
    ]


def test_a_phone_shows_a_trial_without_scrolling_and_takes_taps(
    study: OpenStudy, site: Lab, phone_user: Participant
) -> None:
    phone_user.begin(f"/s/{study.slug}/?mode=pilot")
    expect(phone_user.option(RIGHT)).to_be_in_viewport(ratio=1)
    expect(phone_user.page.get_by_role("img", name="Image to compare")).to_be_in_viewport(ratio=1)
    phone_user.answer(by_touch)
    assert phone_user.read_code() == CODE
    shown = assert_stored_once(site, phone_user, "pilot", study.slug)
    assert {row["input"] for row in shown} == {"touch"}
    assert phone_user.complaints.texts == []


def test_a_mouse_answers_and_a_reload_in_the_middle_goes_on(
    study: OpenStudy, site: Lab, participant: Participant
) -> None:
    participant.begin(f"/s/{study.slug}/?mode=pilot")
    participant.answer(by_mouse, count=2)
    expect(participant.option(LEFT)).to_be_enabled()
    participant.page.reload()
    expect(participant.heading("Welcome back")).to_be_visible()
    participant.press("Continue")
    participant.answer(by_mouse)
    assert participant.read_code() == CODE
    shown = assert_stored_once(site, participant, "pilot", study.slug)
    assert {row["input"] for row in shown} == {"mouse"}
    assert participant.complaints.texts == []


def test_answers_given_without_a_connection_arrive_when_it_is_back(
    study: OpenStudy, site: Lab, participant: Participant
) -> None:
    participant.begin(f"/s/{study.slug}/?mode=pilot")
    participant.answer(by_letter, count=1)
    expect(participant.option(LEFT)).to_be_enabled()
    # What is ahead was loaded before; the connection goes.
    participant.page.context.set_offline(True)
    participant.answer(by_letter)
    expect(participant.page.get_by_text("waiting. The connection is slow or down")).to_be_visible()
    expect(participant.heading("Saving your answers")).to_be_visible()
    expect(participant.page.get_by_text(CODE)).to_have_count(0)
    answered = [row for row in presentations(site, "pilot", study.slug) if row["seq"] is not None]
    assert len(answered) <= 1

    participant.page.context.set_offline(False)
    assert participant.read_code() == CODE
    assert_stored_once(site, participant, "pilot", study.slug)
    assert participant.complaints.besides("ERR_INTERNET_DISCONNECTED") == []


def test_weights_that_could_carry_code_are_not_taken_over_the_web(
    researcher: Researcher, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"anything")
    researcher.add("Networks")
    researcher.fill(Name="Uploaded", Architecture="resnet18")
    researcher.page.get_by_label("Weights", exact=True).set_input_files(weights)
    researcher.save()
    expect(researcher.page.get_by_text("weights.pt: only .safetensors files are taken here")).to_be_visible()
