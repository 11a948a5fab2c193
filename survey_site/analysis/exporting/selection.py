"""Which rows of a study are exported, and how much they say of people."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self, TypeVar

from django.db.models import Model, QuerySet

from survey_site.access.roles import ExportLevel
from survey_site.analysis.models import Exclusion
from survey_site.participation.models import Mode, StudySession
from survey_site.studies.models import Study, StudyVersion

#: What becomes of sessions that a rule, or a researcher, leaves out.
MARKED, APPLIED = "marked", "applied"
EXCLUSIONS = {MARKED: "Keep them, marked in excluded_by", APPLIED: "Leave them out of the file"}
ONE_DAY = timedelta(days=1)
Rows = TypeVar("Rows", bound=Model)


class ExportRefused(Exception):
    """An export that cannot be made; the message names what was asked for and what is allowed."""


@dataclass(frozen=True)
class Filters:
    """`since` and `until` are days (UTC) on which a session began, both included; no version means all."""

    mode: str = Mode.REAL
    version: int | None = None
    exclusions: str = MARKED
    since: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        if self.mode not in Mode.values:
            raise ExportRefused(f"mode is {self.mode!r}; allowed: {', '.join(Mode.values)}")
        if self.exclusions not in EXCLUSIONS:
            raise ExportRefused(f"exclusions is {self.exclusions!r}; allowed: {', '.join(EXCLUSIONS)}")
        if self.since and self.until and self.since > self.until:
            raise ExportRefused(f"since ({self.since}) is after until ({self.until}); no day is in between")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(one.name for one in fields(cls))

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """From a form, a query or stored JSON; what is absent or empty is the default."""
        version, since, until = (str(given.get(name) or "") for name in ("version", "since", "until"))
        return cls(
            mode=str(given.get("mode") or Mode.REAL),
            version=_number(version) if version else None,
            exclusions=str(given.get("exclusions") or MARKED),
            since=_day("since", since) if since else None,
            until=_day("until", until) if until else None,
        )

    def to_dict(self) -> dict[str, str]:
        """What `read` takes; nothing that is the default."""
        given = {
            "mode": self.mode,
            "version": self.version,
            "exclusions": self.exclusions if self.exclusions != MARKED else None,
            "since": self.since,
            "until": self.until,
        }
        return {name: str(value) for name, value in given.items() if value is not None}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text) > 0):
        raise ExportRefused(f"version is {text!r}; allowed: the number of a version, such as 1")
    return int(text)


def _day(name: str, text: str) -> date:
    with suppress(ValueError):
        day = date.fromisoformat(text)
        if date.min < day < date.max:  # the days before and after it are days too
            return day
    raise ExportRefused(f"{name} is {text!r}; allowed: a day, such as 2026-01-31")


@dataclass(frozen=True)
class Selection:
    """A study's rows as filtered. Raises ExportRefused for a version that the study does not have."""

    study: Study
    filters: Filters = field(default_factory=Filters)
    level: ExportLevel = ExportLevel.DEIDENTIFIED

    def __post_init__(self) -> None:
        if self.level not in (ExportLevel.DEIDENTIFIED, ExportLevel.FULL):
            raise ExportRefused(f"level is {self.level.label!r}; allowed: de-identified, full")
        number = self.filters.version
        if number is not None and not self.study.versions.filter(number=number).exists():
            known = ", ".join(map(str, self.study.versions.values_list("number", flat=True))) or "none"
            raise ExportRefused(f"study {self.study.slug!r} has no version {number}; versions: {known}")

    @classmethod
    def of(cls, source: Study | StudyVersion, mode: str = Mode.REAL) -> Self:
        """All of a study, or of one version of it, in one mode."""
        if isinstance(source, StudyVersion):
            return cls(source.study, Filters(mode=mode, version=source.number))
        return cls(source, Filters(mode=mode))

    @property
    def is_full(self) -> bool:
        return self.level == ExportLevel.FULL

    @property
    def source(self) -> Study | StudyVersion:
        """The study, or the one version of it that is chosen."""
        number = self.filters.version
        return self.study.versions.get(number=number) if number else self.study

    def versions(self) -> QuerySet[StudyVersion]:
        number = self.filters.version
        return self.study.versions.filter(number=number) if number else self.study.versions.all()

    def sessions(self) -> QuerySet[StudySession]:
        """In the order in which they began."""
        return self.of_sessions(StudySession.objects.all()).order_by("created_at", "pk")

    def of_sessions(self, rows: QuerySet[Rows], path: str = "") -> QuerySet[Rows]:
        """Those of the rows whose session, found by `path`, is chosen."""
        where, filters = f"{path}__" if path else "", self.filters
        rows = rows.filter(**{f"{where}study": self.study, f"{where}mode": filters.mode})
        if filters.version is not None:
            rows = rows.filter(**{f"{where}version__number": filters.version})
        if filters.since is not None:
            rows = rows.filter(**{f"{where}created_at__gte": _midnight(filters.since)})
        if filters.until is not None:
            rows = rows.filter(**{f"{where}created_at__lt": _midnight(filters.until + ONE_DAY)})
        if filters.exclusions == APPLIED:
            left_out = Exclusion.objects.of_study(self.study, filters.mode).values("session")
            rows = rows.exclude(**{f"{where}pk__in": left_out})
        return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
