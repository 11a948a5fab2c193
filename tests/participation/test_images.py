"""Images of a presentation: the right bytes, under an address that says nothing."""

import re
from typing import Any

import pytest
from django.test import Client

from survey_site.participation.models import Presentation
from tests.builders import opened_study
from tests.participation.visitor import Visitor, running

pytestmark = pytest.mark.django_db


def addresses(visitor: Visitor) -> list[tuple[str, bytes]]:
    """Every image address of the manifest, with the bytes that belong there."""
    expected = []
    for one in visitor.presentations():
        shown = Presentation.objects.get(pk=one["id"])
        options = {option.index: option for option in shown.trial.options.select_related("image")}
        (reference,) = shown.trial.references.select_related("image")
        expected.append((one["references"][0]["image"], content(reference)))
        for place, index in zip(one["options"], shown.option_order, strict=True):
            expected.append((place["image"], content(options[index])))
    return expected


def content(shown: Any) -> bytes:
    with shown.image.file.open("rb") as file:
        return bytes(file.read())


def test_every_place_shows_its_own_image() -> None:
    opened_study(n=3)
    pairs = addresses(running())
    assert len({address for address, _ in pairs}) == len(pairs) == 15
    for address, data in pairs:
        answer = Client().get(address)
        assert (answer.status_code, answer["Content-Type"], answer.content) == (200, "image/png", data)


def test_neither_address_nor_headers_tell_what_is_shown() -> None:
    """The reference of a catch trial is its target: whoever could compare names would know the answer."""
    opened_study(n=2)
    for address, data in addresses(running()):
        answer = Client().get(address)
        assert answer["Cache-Control"] == "private, immutable, max-age=86400"
        assert not answer.has_header("ETag")
        assert not answer.has_header("Last-Modified")
        assert not answer.has_header("Content-Disposition")
        assert not re.search(r"\b[0-9a-f]{64}\b", f"{address} {answer.headers}")
        head = Client().head(address)
        assert (head.status_code, head["Content-Length"]) == (200, str(len(data)))


def test_two_sessions_see_the_same_image_under_different_addresses() -> None:
    opened_study(n=2)
    one, other = (dict(addresses(running())) for _ in range(2))
    assert not set(one) & set(other)
    assert set(one.values()) == set(other.values())


def test_a_forged_address_finds_nothing() -> None:
    opened_study(n=2)
    visitor = running()
    one, other = visitor.presentations()[:2]
    good = one["references"][0]["image"]
    last = "0" if good[-5] != "0" else "1"
    forged = [
        good[:-5] + last + ".png",
        good.replace(one["id"], other["id"]),
        good.replace("-r0-", "-o0-"),
        good.replace(one["id"], "-" * 36),
        good.replace("-r0-", "-r7-"),
        good.replace("-r0-", "-x0-"),
    ]
    assert [Client().get(address).status_code for address in forged] == [404] * len(forged)
    assert Client().post(good).status_code == 405
