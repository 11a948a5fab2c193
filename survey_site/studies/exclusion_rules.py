"""Named, versioned rules that say who is left out of the scores. Standard library only.

A rule looks at what one session did and answers with a reason, or not at all::

    >>> facts = SessionFacts(session="s1", catch_right=1, catch_answered=4)
    >>> CatchRate(minimum=0.75).reason_against(facts)
    '1 of 4 catch trials right (25 %), fewer than 75 %'

A study chooses its rules before it opens, and its frozen version carries them. A rule's version changes when
its meaning does, so that old decisions can be read.
"""

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from statistics import median
from typing import Any, ClassVar


class ExclusionError(ValueError):
    """A rule that does not exist or makes no sense; the message names the value given and those allowed."""


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """What one session did, as far as rules need it.

    catch_right, catch_answered: catch trials. expected, answered: main presentations planned and answered.
    rts: milliseconds of its main answers, in order. places: chosen places (0 is first) of its main answers
    in trials of one reference, in the order shown.
    focus_lost: how often the page lost focus during its trials. is_finished: the session came to its end.
    """

    session: str
    catch_right: int = 0
    catch_answered: int = 0
    expected: int = 0
    answered: int = 0
    rts: tuple[float, ...] = ()
    places: tuple[int, ...] = ()
    focus_lost: int = 0
    is_finished: bool = True


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """What all rules have: a name, a version, and `reason_against`."""

    name: ClassVar[str]
    version: ClassVar[int] = 1

    @abstractmethod
    def reason_against(self, facts: SessionFacts) -> str | None:
        """Why the session is left out; None if this rule keeps it."""

    def to_dict(self) -> dict[str, Any]:
        return {"rule": self.name, "version": self.version, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class CatchRate(Rule):
    """Fewer catch trials right than `minimum`, a share in (0, 1]. A session without any is kept."""

    name: ClassVar[str] = "catch_rate"
    minimum: float = 0.75

    def __post_init__(self) -> None:
        _check_share(self.name, "minimum", self.minimum)

    def reason_against(self, facts: SessionFacts) -> str | None:
        if not facts.catch_answered or facts.catch_right / facts.catch_answered >= self.minimum:
            return None
        share = facts.catch_right / facts.catch_answered
        return (
            f"{facts.catch_right} of {facts.catch_answered} catch trials right ({100 * share:.0f} %), "
            f"fewer than {100 * self.minimum:g} %"
        )


@dataclass(frozen=True, kw_only=True)
class TooFast(Rule):
    """More than `share` of the answers, in (0, 1), came before `minimum_ms` milliseconds."""

    name: ClassVar[str] = "too_fast"
    minimum_ms: float = 200.0
    share: float = 0.2

    def __post_init__(self) -> None:
        if not self.minimum_ms > 0:
            raise ExclusionError(f"too_fast: minimum_ms is {self.minimum_ms!r}; it must be above 0")
        _check_share(self.name, "share", self.share)

    def reason_against(self, facts: SessionFacts) -> str | None:
        fast = sum(rt < self.minimum_ms for rt in facts.rts)
        if not facts.rts or fast / len(facts.rts) <= self.share:
            return None
        return (
            f"{fast} of {len(facts.rts)} answers faster than {self.minimum_ms:g} ms "
            f"(median {median(facts.rts):.0f} ms)"
        )


@dataclass(frozen=True, kw_only=True)
class StraightLining(Rule):
    """The same place chosen `longest` times in a row or more (2 or more)."""

    name: ClassVar[str] = "straight_lining"
    longest: int = 12

    def __post_init__(self) -> None:
        if self.longest < 2:
            raise ExclusionError(f"straight_lining: longest is {self.longest!r}; it must be 2 or more")

    def reason_against(self, facts: SessionFacts) -> str | None:
        run = longest_run(facts.places)
        return f"chose the same place {run} times in a row" if run >= self.longest else None


@dataclass(frozen=True, kw_only=True)
class OneSided(Rule):
    """One place chosen in more than `maximum` of the answers, a share in (0, 1); needs `at_least` answers."""

    name: ClassVar[str] = "side_bias"
    maximum: float = 0.9
    at_least: int = 10

    def __post_init__(self) -> None:
        _check_share(self.name, "maximum", self.maximum)

    def reason_against(self, facts: SessionFacts) -> str | None:
        if len(facts.places) < max(1, self.at_least):
            return None
        place, count = Counter(facts.places).most_common(1)[0]
        if count / len(facts.places) <= self.maximum:
            return None
        return f"chose place {place + 1} in {count} of {len(facts.places)} answers"


@dataclass(frozen=True, kw_only=True)
class Incomplete(Rule):
    """Answered less than `minimum` of the main trials it was to answer, a share in (0, 1]."""

    name: ClassVar[str] = "incomplete"
    minimum: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.name, "minimum", self.minimum)

    def reason_against(self, facts: SessionFacts) -> str | None:
        if not facts.expected or facts.answered / facts.expected >= self.minimum:
            return None
        return f"answered {facts.answered} of {facts.expected} main trials"


@dataclass(frozen=True, kw_only=True)
class Unfinished(Rule):
    """The session did not come to its end. Without this rule the answers of unfinished sessions count."""

    name: ClassVar[str] = "unfinished"

    def reason_against(self, facts: SessionFacts) -> str | None:
        return None if facts.is_finished else "the session did not come to its end"


@dataclass(frozen=True, kw_only=True)
class FocusLoss(Rule):
    """The page lost focus more than `maximum` times during trials (0 or more)."""

    name: ClassVar[str] = "focus_loss"
    maximum: int = 5

    def __post_init__(self) -> None:
        if self.maximum < 0:
            raise ExclusionError(f"focus_loss: maximum is {self.maximum!r}; it must be 0 or more")

    def reason_against(self, facts: SessionFacts) -> str | None:
        if facts.focus_lost <= self.maximum:
            return None
        return f"the page lost focus {facts.focus_lost} times, more than {self.maximum}"


@dataclass(frozen=True, kw_only=True)
class Researcher(Rule):
    """A researcher's own decision about named sessions, with a reason for each; no reason is refused."""

    name: ClassVar[str] = "researcher"
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for session, reason in self.reasons.items():
            if not reason.strip():
                raise ExclusionError(f"researcher: session {session} has no reason; say why it is left out")

    def reason_against(self, facts: SessionFacts) -> str | None:
        return self.reasons.get(facts.session)


RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (CatchRate, TooFast, StraightLining, OneSided, Incomplete, Unfinished, FocusLoss, Researcher)
}


def rules_to_json(rules: Sequence[Rule]) -> str:
    """Canonical JSON: the same rules give the same text."""
    return json.dumps([rule.to_dict() for rule in rules], sort_keys=True, separators=(",", ":"))


def rules_from_json(text: str) -> list[Rule]:
    """Rules as `rules_to_json` writes them.

    Raises ExclusionError for text that is no JSON list, unknown rules, versions or settings, and values out
    of range; the message names them.
    """
    try:
        specs = json.loads(text)
    except json.JSONDecodeError as error:
        raise ExclusionError(f"rules are not valid JSON: {error}") from None
    if not isinstance(specs, list) or not all(isinstance(spec, dict) for spec in specs):
        raise ExclusionError(
            'rules must be a list of objects such as {"rule": "catch_rate", "minimum": 0.75}'
        )
    rules = [rule_from_dict(spec) for spec in specs]
    refuse_twice(rules)
    return rules


def longest_run(places: Sequence[int]) -> int:
    """Length of the longest run of equal values; 0 for none.

    >>> longest_run([0, 1, 1, 1, 0])
    3
    """
    longest = run = 0
    previous: int | None = None
    for place in places:
        run = run + 1 if place == previous else 1
        longest, previous = max(longest, run), place
    return longest


def rule_from_dict(spec: Mapping[str, Any]) -> Rule:
    """One rule as `Rule.to_dict` gives it. Raises ExclusionError as `rules_from_json`."""
    name, version = spec.get("rule"), spec.get("version")
    if name not in RULES:
        raise ExclusionError(f"rule is {name!r}; it must be one of {', '.join(RULES)}")
    kind = RULES[name]
    if version not in (None, kind.version):
        raise ExclusionError(f"{name}: version is {version!r}; this code knows version {kind.version}")
    known = {setting.name: setting.default for setting in fields(kind)}
    settings = {key: value for key, value in spec.items() if key not in ("rule", "version")}
    for key, value in settings.items():
        if key not in known:
            raise ExclusionError(f"{name}: unknown setting {key!r}; it has {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, dict if key == "reasons" else int | float):
            kind_wanted = "an object of reasons by session" if key == "reasons" else "a number"
            raise ExclusionError(f"{name}: {key} is {value!r}; it must be {kind_wanted}")
    return kind(**settings)


def refuse_twice(rules: Sequence[Rule]) -> None:
    twice = [name for name, count in Counter(rule.name for rule in rules).items() if count > 1]
    if twice:
        raise ExclusionError(f"rule {', '.join(twice)} occurs more than once; each may occur once")


def _check_share(rule: str, setting: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ExclusionError(f"{rule}: {setting} is {value!r}; it must be above 0 and at most 1, as a share")
