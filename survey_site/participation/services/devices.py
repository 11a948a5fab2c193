"""Devices that a study refuses: whoever comes with one is screened out, and may come with another."""

from __future__ import annotations

from survey_site.participation.errors import Forbidden
from survey_site.participation.models import ScreenOut, SessionState, StudySession
from survey_site.studies.models import MobilePolicy


def screen_device(session: StudySession, *, is_small_touch_device: bool) -> None:
    """Screen the session out where its version takes no phones, and take it back for any other device.

    Raises Forbidden for a session that is under way or over: it goes on where it began, and its tab there
    keeps its token.
    """
    if session.is_refused_device:
        _save(session, SessionState.CREATED, "")
    if not is_small_touch_device or session.version.settings["mobile_policy"] != MobilePolicy.BLOCK:
        return
    if session.state != SessionState.CREATED:
        raise Forbidden("device_refused", "this study takes no phones; go on with the device it began on")
    _save(session, SessionState.SCREENED_OUT, ScreenOut.DEVICE)


def _save(session: StudySession, state: str, screened_out_by: str) -> None:
    session.state, session.screened_out_by = state, screened_out_by
    session.save(update_fields=["state", "screened_out_by"])
