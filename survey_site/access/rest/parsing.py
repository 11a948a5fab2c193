"""Bodies: JSON that the database can hold, and one answer format whatever a client accepts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.utils.mediatypes import media_type_matches

MAX_DEPTH = 40


class StorableJSON(JSONParser):
    """Refuses what PostgreSQL cannot store, and nesting that no body of ours has."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = super().parse(bounded(stream), media_type, parser_context)
        except RecursionError:
            raise ParseError("the JSON is nested too deeply") from None
        refuse_unstorable(data)
        return data


def bounded(stream: IO[Any]) -> IO[bytes]:
    """The whole body. Raises RequestDataTooBig, which Django does only for bodies that it reads itself."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    data = stream.read(most + 1)
    if len(data) > most:
        raise RequestDataTooBig(f"at most {most:,} bytes are taken")
    return BytesIO(data)


class RawBody(BaseParser):
    """The bytes themselves, whatever media type says of them."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> bytes:
        return bounded(stream).read()


class RawJSON(RawBody):
    media_type = "application/json"


class RawYAML(RawBody):
    media_type = "application/yaml"


def refuse_unstorable(data: Any) -> None:
    """Raises ParseError for NUL, half of a surrogate pair, or more than MAX_DEPTH levels."""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one)]
        if not level:
            break
    else:
        raise ParseError(f"the JSON is nested deeper than {MAX_DEPTH} levels")
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError("the JSON holds half of a surrogate pair") from None
    if _has_nul(data):
        raise ParseError("the JSON holds a NUL character")


def _parts(one: Any) -> list[Any]:
    if isinstance(one, dict):
        return list(one.values())
    return one if isinstance(one, list) else []


def _has_nul(one: Any) -> bool:
    if isinstance(one, str):
        return "\0" in one
    if isinstance(one, dict):
        return any(map(_has_nul, one)) or any(map(_has_nul, one.values()))
    return isinstance(one, list) and any(map(_has_nul, one))


class FirstRenderer(BaseContentNegotiation):
    """The view's own format, whatever `Accept` says: errors can then always be told."""

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:
        given = request.content_type or ""
        return next((one for one in parsers if media_type_matches(str(one.media_type), given)), None)

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], str(renderers[0].media_type)
