"""Layer profiles: how the score of each network changes from its first to its last layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from survey_site.analysis.condition_levels import TELLING
from survey_site.analysis.figures.figure import DASHES, INK, MARKERS, SERIES, Figure, label, tidy
from survey_site.analysis.figures.forest import INTERVAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

COLUMNS = ("series", "layer", "depth", "score", "low", "high", "chance", "n")


@dataclass(frozen=True)
class Point:
    series: str
    layer: str
    depth: int
    score: Mapping[str, Any]


def layer_profiles(report: Mapping[str, Any]) -> Figure | None:
    """One line per network (recipe, format ..., where they differ); None unless one has two layers."""
    points = _points(report)
    series: dict[str, list[Point]] = {}
    for point in points:
        series.setdefault(point.series, []).append(point)
    if not any(len({point.layer for point in own}) > 1 for own in series.values()):
        return None
    confidence = report["settings"]["confidence"]
    return Figure(
        name="layers",
        title="Score by layer",
        caption=(
            "The layers of each network in the order in which they are computed; bars are "
            f"{confidence:.0%} two-way intervals."
        ),
        description="Share of choices of the target by layer. "
        + " ".join(
            f"{name}: " + ", ".join(f"{point.layer} {point.score['score']:.2f}" for point in own) + "."
            for name, own in series.items()
        ),
        columns=COLUMNS,
        rows=[_row(point) for point in points],
        height=4.5,
        draw=lambda canvas: _draw(canvas, series),
    )


def _points(report: Mapping[str, Any]) -> list[Point]:
    scores = {score["condition"]: score for score in report["scores"]}
    shown = [row for row in report["conditions"] if row["shows"] == "iri" and row["condition"] in scores]
    telling = [name for name in TELLING if len({row[name] for row in shown}) > 1]
    points = [
        Point(
            series=" · ".join(row[name] for name in ("network_name", *telling)),
            layer=row["layer"],
            depth=int(row["layer_depth"]),
            score=scores[row["condition"]],
        )
        for row in shown
    ]
    return sorted(points, key=lambda point: (point.series, point.depth, point.layer))


def _row(point: Point) -> list[Any]:
    interval, score = point.score["intervals"][INTERVAL], point.score
    return [
        point.series,
        point.layer,
        point.depth,
        score["score"],
        interval["low"],
        interval["high"],
        score["chance"],
        score["n"],
    ]


def _draw(canvas: Canvas, series: Mapping[str, Sequence[Point]]) -> None:
    axes = canvas.add_subplot()
    depths = sorted({(point.depth, point.layer) for own in series.values() for point in own})
    place_of = {depth: place for place, depth in enumerate(depths)}
    for number, (name, own) in enumerate(series.items()):
        _draw_series(axes, number, name, own, place_of, shift=0.06 * (number - (len(series) - 1) / 2))
    chances = {
        point.score["chance"] for own in series.values() for point in own if point.score["chance"] is not None
    }
    for chance in sorted(chances):
        axes.axhline(chance, color=INK, linestyle=(0, (4, 3)), linewidth=1)
        axes.text(1.01, chance, "chance", va="center", color=INK, transform=axes.get_yaxis_transform())
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(-0.5, len(depths) - 0.5)
    axes.set_xticks(range(len(depths)), [label(f"{layer} ({depth})", 14) for depth, layer in depths])
    if len(depths) > 6:
        axes.tick_params(axis="x", rotation=40)
    axes.set_xlabel("Layer (place in the order of execution)")
    axes.set_ylabel("Share of choices of the target")
    tidy(axes)
    axes.grid(axis="y", color="#EEEEEE")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0, ncols=2)


def _draw_series(
    axes: Any,
    number: int,
    name: str,
    own: Sequence[Point],
    place_of: Mapping[tuple[int, str], int],
    *,
    shift: float,
) -> None:
    """Shifted a little, so that bars of several networks do not hide each other."""
    places = [place_of[point.depth, point.layer] + shift for point in own]
    colour = SERIES[number % len(SERIES)]
    for place, point in zip(places, own, strict=True):
        interval = point.score["intervals"][INTERVAL]
        axes.plot([place] * 2, [interval["low"], interval["high"]], color=colour, linewidth=1.5)
    axes.plot(
        places,
        [point.score["score"] for point in own],
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        linestyle=DASHES[number // len(SERIES) % len(DASHES)],
        markersize=7,
        label=label(name, 60),
    )
