"""Writes of the participation room, one subject a module."""

from survey_site.participation.services.finishing import Completion, finish_session
from survey_site.participation.services.log_store import Acknowledgement
from survey_site.participation.services.logging import check_token, record_log
from survey_site.participation.services.sessions import (
    StartedSession,
    drop_stale,
    give_consent,
    is_full,
    start_session,
)

__all__ = [
    "Acknowledgement",
    "Completion",
    "StartedSession",
    "check_token",
    "drop_stale",
    "finish_session",
    "give_consent",
    "is_full",
    "record_log",
    "start_session",
]
