"""What every figure is, whatever it draws."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from survey_site.analysis.csv_cells import escape
from survey_site.analysis.figures.page_svg import for_a_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# Okabe & Ito's palette: told apart with any colour vision. Markers and dashes tell the same as colours do.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, INK, GRID, BAND = "#CC79A7", "#56B4E9", "#222222", "#DDDDDD", "#EBEBEB"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
WIDTH = 9.0  # inches
LABEL_WIDTH = 34  # characters; longer names go over several lines
DPI = 200
NO_BREAK = "\N{NO-BREAK SPACE}"

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`name` is part of file names; `description` says in words what is drawn; `columns`, `rows` are its
    data.

    `draw` fills an empty matplotlib figure of `WIDTH` x `height` inches.
    """

    name: str
    title: str
    caption: str
    description: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    height: float
    draw: Callable[[Canvas], None]

    def svg(self) -> str:
        """An <svg> element that can stand inside a page, with title and description."""
        text = io.StringIO()
        self._drawn().savefig(text, format="svg", facecolor="white", metadata={"Date": None})
        return for_a_page(text.getvalue(), title=self.title, description=self.description)

    def png(self) -> bytes:
        """For slides and text processors, at `DPI`."""
        data = io.BytesIO()
        said = {"Title": self.title, "Description": self.description}
        self._drawn().savefig(data, format="png", dpi=DPI, facecolor="white", metadata=said)
        return data.getvalue()

    def csv(self) -> str:
        """The data in the figure, with a header."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(self.columns)
        writer.writerows([_cell(value) for value in row] for row in self.rows)
        return text.getvalue()

    def _drawn(self) -> Canvas:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # costs half a second: only when drawn
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=(WIDTH, self.height), layout="constrained")
        FigureCanvasAgg(canvas)
        self.draw(canvas)
        return canvas


def plain(text: str) -> str:
    """As it is drawn: `$` starts no formula, and what XML cannot hold is left out."""
    spaced = text.replace(NO_BREAK, " ")
    return "".join(letter for letter in spaced if letter.isprintable()).replace("$", r"\$")


def label(text: str, width: int = LABEL_WIDTH) -> str:
    """On several lines if it is long; a word longer than a line is broken."""
    return plain_lines(fill(text, width))


def plain_lines(text: str) -> str:
    return "\n".join(map(plain, text.split("\n")))


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    return escape(value) if isinstance(value, str) else str(value)


def tidy(axes: Any) -> None:
    """No frame; light lines behind the data along x."""
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def value_or_none(statistic: Any, name: str | None = None) -> float | None:
    """A statistic of the report as a number; None where it is `{"undefined": why}`."""
    if isinstance(statistic, Mapping):
        if "undefined" in statistic or name is None:
            return None
        statistic = statistic[name]
    return None if statistic is None else float(statistic)
