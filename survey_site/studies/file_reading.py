"""Study files as text: JSON or YAML in, plain data out; bounded, so that no file holds the server. Pure.

Of YAML only what JSON has is taken: no tags, no anchors, no aliases, and `no` or a date are text.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

MOST_BYTES = 1_000_000
MOST_DEPTH = 12


class StudyFileError(Exception):
    """A file that is not taken. `faults` are (path, what is wrong) pairs, the path empty for the whole."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path} {fault}" if path else fault for path, fault in faults))
        self.faults = faults


class PlainLoader(yaml.CSafeLoader):
    """Numbers, true, false, null and text."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        pairs = [(self.construct_object(key, deep=True), value) for key, value in node.value]
        _refuse_twice([key for key, _ in pairs])
        return {key: self.construct_object(value, deep=deep) for key, value in pairs}


# The dumper writes what these find as quoted text where it is text: each finds less than YAML 1.1 does.
for _tag, _pattern, _first in (
    ("bool", "true|false", "tf"),
    ("null", "null|~|", "n~"),
    ("int", "-?(?:0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?", "-0123456789"),
):
    _letters = [*_first, ""] if _tag == "null" else [*_first]
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _letters)


def read_document(data: bytes) -> dict[str, Any]:
    """The document in the file. Raises StudyFileError for what is no such file, with the line where known."""
    if len(data) > MOST_BYTES:
        raise _whole(f"the file has {len(data):,} bytes; at most {MOST_BYTES:,} are taken")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _whole(f"the file is not UTF-8 text: {error}") from None
    document = _json(text) if text.lstrip().startswith("{") else _yaml(text)
    if not isinstance(document, dict):
        raise _whole(f"the file holds {type(document).__name__}; a study file holds names with values")
    _refuse_unstorable(document)
    return document


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_number)
    except RecursionError:
        raise _whole("the file is nested too deeply") from None
    except ValueError as error:
        raise _whole(f"the file is not valid JSON: {error}") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _yaml(text: str) -> Any:
    try:
        _refuse_tricks(text)
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a safe loader that takes even less
    except (yaml.YAMLError, ValueError) as error:
        raise _whole(f"the file is not valid YAML: {error}") from None


def _refuse_tricks(text: str) -> None:
    """Before anything is built: aliases can grow a file without bound, and depth a stack."""
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _whole(f"line {event.start_mark.line + 1} has an anchor or alias; a study file has none")
        if getattr(event, "tag", None):
            raise _whole(f"line {event.start_mark.line + 1} has the tag {event.tag}; a study file has none")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise _whole(f"line {event.start_mark.line + 1} is nested deeper than {MOST_DEPTH} levels")


def _refuse_twice(keys: list[Any]) -> None:
    seen = set()
    for key in keys:
        if not isinstance(key, str):
            raise _whole(f"the name {key!r} is no text; write it in quotes")
        if key in seen:
            raise _whole(f"the name {key!r} occurs twice in one place")
        seen.add(key)


def _refuse_unstorable(document: Any, path: str = "", depth: int = 1) -> None:
    """Raises StudyFileError for depth, NUL, and halves of surrogate pairs."""
    if depth > MOST_DEPTH:
        raise StudyFileError([(path, f"is nested deeper than {MOST_DEPTH} levels")])
    if isinstance(document, str) and re.search("[\0\ud800-\udfff]", document):
        raise StudyFileError([(path, "holds a NUL character or half of a surrogate pair")])
    parts = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document if isinstance(document, list) else ())
    )
    for name, part in parts:
        _refuse_unstorable(name, path, depth)
        _refuse_unstorable(part, f"{path}.{name}".strip("."), depth + 1)


def _whole(fault: str) -> StudyFileError:
    return StudyFileError([("", fault)])
