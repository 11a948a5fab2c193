"""The table of faults at the end of a run.

A plugin and not part of conftest.py: with several test processes, the one that prints runs no test itself.
"""

from dataclasses import asdict, dataclass

import pytest

PROPERTY = "fault"


@dataclass(frozen=True)
class Outcome:
    """What a fault did: IRIs missing in the end, IRIs or chunks done twice, seconds until work went on."""

    fault: str
    lost: int
    doubled: int
    seconds: float
    detail: str = ""


class Report:
    """What is appended during a test is a row of the table."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item

    def append(self, outcome: Outcome) -> None:
        self._item.user_properties.append((PROPERTY, asdict(outcome)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes: list[Outcome] = [
        Outcome(**value)  # type: ignore[arg-type]
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not outcomes:
        return
    terminalreporter.section("faults (leases of 5 s, a sweep every second)")
    terminalreporter.write_line("| fault | lost | doubled | seconds to recovery | |")
    terminalreporter.write_line("|---|---|---|---|---|")
    for one in outcomes:
        terminalreporter.write_line(
            f"| {one.fault} | {one.lost} | {one.doubled} | {one.seconds:.1f} | {one.detail} |"
        )
