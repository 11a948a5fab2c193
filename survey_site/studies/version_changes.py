"""What changed from one frozen version of a study to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from re import findall
from typing import Any

from django.utils.html import strip_tags

from survey_site.studies.differences import Difference, differences
from survey_site.studies.models import CODES, Study, StudyVersion

#: Where a setting is a list of objects, what names them.
NAMED_BY = {"conditions": "slug", "exclusion_rules": "rule"}


@dataclass(frozen=True)
class TextChange:
    """`parts` are (kind, words): kind is same, added or removed."""

    where: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TrialChange:
    """Of one condition, or of catch or practice trials."""

    of: str
    added: int
    removed: int


@dataclass(frozen=True)
class VersionChange:
    settings: list[Difference]
    texts: list[TextChange]
    trials: list[TrialChange]


def changes_between(before: StudyVersion, after: StudyVersion) -> VersionChange:
    return VersionChange(
        settings=sorted(
            differences(_named(before.settings), _named(after.settings)),
            key=lambda one: (len(one.path), one.path),
        ),
        texts=_text_changes(before.texts, after.texts),
        trials=_trial_changes(before, after),
    )


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """By the names that the form has for them."""
    labels = {field.name: str(field.verbose_name) for field in Study._meta.concrete_fields}
    return {
        labels.get(name, name.replace("_", " ")): {row[NAMED_BY[name]]: row for row in value}
        if name in NAMED_BY
        else value
        for name, value in settings.items()
        if name not in CODES  # that they changed is in the history
    }


def _text_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[TextChange]:
    return [
        TextChange(", ".join(one.path), words_changed(_plain(one.before), _plain(one.after)))
        for one in differences(before, after)
        if one.path[-1] != "consent_version"
    ]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return strip_tags(value).strip() if isinstance(value, str) else _listed(value)


def _listed(value: Any) -> str:
    """A whole language, or its questions."""
    if isinstance(value, Mapping):
        return " ".join(_plain(one) for one in value.values())
    return "; ".join(str(one.get("label", one)) for one in value)


def words_changed(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """Runs of words that stayed, came or went.

    >>> words_changed("you may stop", "you can stop")
    (('same', 'you '), ('removed', 'may '), ('added', 'can '), ('same', 'stop'))
    """
    old, new = findall(r"\S+\s*", before), findall(r"\S+\s*", after)
    parts: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(("same", "".join(old[a:b])))
            continue
        parts += [
            (name, "".join(words)) for name, words in (("removed", old[a:b]), ("added", new[c:d])) if words
        ]
    return tuple(parts)


def _trial_changes(before: StudyVersion, after: StudyVersion) -> list[TrialChange]:
    old, new = _trials(before), _trials(after)
    added, removed = _by_name(new - old), _by_name(old - new)
    names = sorted({*added, *removed})
    return [TrialChange(name, added[name], removed[name]) for name in names]


def _by_name(trials: Counter[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (name, *_), n in trials.items():
        found[name] += n
    return found


def _trials(version: StudyVersion) -> Counter[Any]:
    """What is asked, by content, so that the same question of another version is the same."""
    rows = version.trials.select_related("condition").prefetch_related("references__answer", "options")
    return Counter(
        (
            trial.condition.slug if trial.condition else f"{trial.kind} trials",
            trial.format,
            tuple((one.image_id, one.answer.index) for one in trial.references.all()),
            tuple((one.image_id, one.label) for one in trial.options.all()),
        )
        for trial in rows
    )
