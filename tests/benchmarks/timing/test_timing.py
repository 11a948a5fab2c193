"""The figures of the benchmark; python -m tests.benchmarks.timing measures them in a browser."""

import pytest

from tests.benchmarks.timing.__main__ import timing
from tests.benchmarks.timing.watched import Pressed

# Painted at 1000, 2030 and 3020 ms of the page's clock, answered 500 ms later each.
PRESSED = [
    Pressed("a", painted_ms=1000.0, pressed_ms=1500.0),
    Pressed("b", painted_ms=2030.0, pressed_ms=2530.0),
    Pressed("c", painted_ms=3020.0, pressed_ms=3520.0),
]


def test_the_error_is_what_was_recorded_less_what_was_true() -> None:
    recorded = [("a", 503.0, 60.0, 0), ("b", 498.0, 60.0, 3), ("c", 510.0, 60.0, 0)]
    found = timing("here", PRESSED, recorded)
    assert (found.trials, found.frame_ms, found.frames_dropped_per_trial) == (3, 16.7, 1.0)
    assert (found.error_median_ms, found.error_max_abs_ms) == (3.0, 10.0)
    assert found.error_p95_abs_ms == 9.3
    assert (found.next_median_ms, found.next_p95_ms) == (510.0, 528.0)


def test_an_answer_that_was_not_stored_is_no_figure() -> None:
    with pytest.raises(KeyError, match="c"):
        timing("here", PRESSED, [("a", 503.0, 60.0, 0), ("b", 498.0, 60.0, 3)])
