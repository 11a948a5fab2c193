"""The sample size that a pilot asks for, from the shell."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tests.analysis.answered_study import AnsweredStudy

pytestmark = pytest.mark.django_db

ASK = ("sample_size", "faces", "--condition", "first", "--simulations", "60")


@pytest.fixture
def pilot(answered: AnsweredStudy) -> AnsweredStudy:
    answered.answer(n=12, mode="pilot", share=0.8)
    return answered


def printed(*words: str) -> str:
    output = io.StringIO()
    call_command(*ASK, *words, stdout=output)
    return output.getvalue()


def test_a_pilot_says_how_many_participants_a_study_needs(pilot: AnsweredStudy) -> None:
    found = json.loads(printed("--items", "30", "--json"))
    assert found["participants"] in [point["participants"] for point in found["curve"]]
    assert found["curve"][-1]["power"] >= 0.9
    assert {point["items"] for point in found["curve"]} == {30}
    said = printed("--items", "30")
    assert said.strip().endswith(f"For a power of 0.9, {found['participants']} participants do.")


def test_what_no_size_reaches_is_said(pilot: AnsweredStudy) -> None:
    assert "no size tried does: add items" in printed("--items", "2", "--against", "0.79")


def test_what_cannot_be_planned_is_refused(pilot: AnsweredStudy) -> None:
    with pytest.raises(CommandError, match="no study has the slug 'face'; studies: faces"):
        call_command("sample_size", "face", "--condition", "first")
    with pytest.raises(CommandError, match="condition 'third' has no answers; conditions with answers"):
        call_command("sample_size", "faces", "--condition", "third")
    with pytest.raises(CommandError, match=r"power is 1\.5; it must lie between 0 and 1"):
        printed("--power", "1.5")
    with pytest.raises(CommandError, match="condition 'first' has no answers; conditions with answers: none"):
        printed("--mode", "real")
