"""Numbered notes under a table."""

import doctest

from survey_site.analysis import footnotes


def test_the_same_text_keeps_its_number() -> None:
    assert doctest.testmod(footnotes).failed == 0
