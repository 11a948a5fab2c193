"""What a reaction time must fit: an answer was given, in time, and not before anybody could have given it."""

from __future__ import annotations

from survey_site.participation.errors import ParticipationError
from survey_site.participation.log_body import ResponsePayload

# Half a millisecond is rounding; the rest is left to other clocks and pages.
ROUNDING_MS = 1.0
# A page's timer may be late, and an answer that was quicker than the timer stands.
LATE_TIMER_MS = 1000.0
# The server's clock is read when the request arrives, the page's when the session began.
CLOCKS_APART_MS = 60_000.0


def check_reaction_time(response: ResponsePayload, time_limit_ms: int | None, seq: int) -> None:
    """Raises ParticipationError, code `impossible_reaction_time`, for what cannot have been measured.

    `time_limit_ms` is the study's, None for none; `seq` that of the log's entry.
    """
    chosen = [answer.option for answer in response.answers if answer.option is not None]
    fault = _fault_of_choice(response, time_limit_ms) if chosen else _fault_of_none(response, time_limit_ms)
    if fault:
        raise ParticipationError("impossible_reaction_time", fault, seq=seq)


def check_elapsed(response: ResponsePayload, elapsed_ms: float, seq: int) -> None:
    """The same, for a reaction time that is longer than the session has lasted."""
    if response.rt is not None and response.rt > elapsed_ms + CLOCKS_APART_MS:
        raise ParticipationError(
            "impossible_reaction_time",
            f"rt is {response.rt:g} ms; the session has lasted {elapsed_ms:.0f} ms",
            seq=seq,
        )


def needs_clock(response: ResponsePayload) -> bool:
    """Whether `check_elapsed` can find anything: no session is looked up for a usual reaction time."""
    return response.rt is not None and response.rt > CLOCKS_APART_MS


def _fault_of_choice(response: ResponsePayload, limit: int | None) -> str:
    rt, raw = response.rt, response.rt_raw_ms
    if response.timed_out:
        return "timed_out is true, but an option was chosen; allowed: one of both"
    if rt is None or raw is None:
        return f"rt is {rt} and rt_raw_ms {raw}; an answer has both, in ms"
    if raw <= 0:
        return f"rt_raw_ms is {raw:g}; allowed: above 0, since nobody answers before the onset"
    if abs(rt - raw) > ROUNDING_MS:
        return f"rt is {rt:g} and rt_raw_ms {raw:g}; rt is the same, rounded"
    if limit is not None and raw > limit + LATE_TIMER_MS:
        return f"rt_raw_ms is {raw:g}; the time limit is {limit} ms"
    return ""


def _fault_of_none(response: ResponsePayload, limit: int | None) -> str:
    if limit is None:
        return "timed_out is true, but this study has no time limit"
    if response.rt is not None or response.rt_raw_ms is not None:
        return f"rt is {response.rt} and rt_raw_ms {response.rt_raw_ms}; nothing was chosen, so both are null"
    return ""
