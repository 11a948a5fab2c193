"""Numbered notes under a table: paper shows no tooltips. Standard library only."""


class Footnotes:
    """Notes of one table, numbered from 1 as they come; the same text keeps its number.

    >>> notes = Footnotes()
    >>> notes.number("no width"), notes.number(""), notes.number("one item"), notes.number("no width")
    (1, None, 2, 1)
    >>> notes.texts
    ['no width', 'one item']
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int | None:
        """The note's number; None for no text."""
        return self._numbers.setdefault(text, len(self._numbers) + 1) if text else None

    @property
    def texts(self) -> list[str]:
        """In the order of their numbers."""
        return list(self._numbers)
