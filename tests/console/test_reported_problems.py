"""What participants reported is read on the session's page, as text, and the sessions can be found by it."""

from __future__ import annotations

import pytest

from tests.builders import logged_in, opened_study, superuser
from tests.participation.visitor import Visitor, event

pytestmark = pytest.mark.django_db


def test_a_reported_problem_is_shown_beside_its_session_and_found_by_the_filter() -> None:
    opened_study(n=2, n_catch=0)
    told, silent = Visitor(), Visitor()
    for visitor in (told, silent):
        visitor.start()
        visitor.consent()
        visitor.log(event(1, event="trial_started"))
    told.log(event(2, event="problem_reported", text="It is <b>dark</b>.", page="Paused"))
    client = logged_in(superuser())
    page_told, page_silent = (
        client.get(f"/admin/participation/studysession/{visitor.session.pk}/change/").content.decode()
        for visitor in (told, silent)
    )
    assert "UTC: It is &lt;b&gt;dark&lt;/b&gt;." in page_told
    assert "<b>dark</b>" not in page_told
    assert "It is" not in page_silent
    listed = client.get("/admin/participation/studysession/?problem=yes").content.decode()
    assert str(told.session) in listed
    assert str(silent.session) not in listed
