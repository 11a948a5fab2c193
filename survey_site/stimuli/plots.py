"""Small figures of the stimuli room, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT, MARGIN = 480, 140, 28
STRIP_HEIGHT, BASE = 84, 62


def loss_curve_svg(trace: Sequence[Sequence[float]]) -> SafeString:
    """Relative error over steps on a logarithmic axis, from [step, error] pairs."""
    points = [(step, error) for step, error in trace if error and error > 0]
    if not points:
        return format_html("{}", "no finite errors")
    lows = [math.log10(error) for _, error in points]
    low, high, last = min(lows), max(lows), max(step for step, _ in points) or 1
    span = (high - low) or 1.0
    path = " ".join(
        f"{MARGIN + (WIDTH - MARGIN) * step / last:.1f},"
        f"{8 + (HEIGHT - MARGIN) * (high - math.log10(error)) / span:.1f}"
        for step, error in points
    )
    return format_html(
        '<svg class="iri-curve" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<polyline points="{}" fill="none" stroke="currentColor" stroke-width="1.5"/>'
        '<text x="0" y="14">{}</text><text x="0" y="{}">{}</text>'
        '<text x="{}" y="{}" text-anchor="end">{} steps</text></svg>',
        WIDTH,
        HEIGHT,
        f"relative error falls from {points[0][1]:.3f} to {points[-1][1]:.3f} in {last} steps",
        path,
        f"{10**high:.2g}",
        HEIGHT - MARGIN + 6,
        f"{10**low:.2g}",
        WIDTH,
        HEIGHT - 4,
        last,
    )


def null_strip_svg(
    *, name: str, low: float, high: float, counts: Sequence[int], value: float, limit: float | None
) -> SafeString:
    """A measure's null as a histogram from `low` to `high`, with this IRI's value and the limit to beat."""
    left, right = min(low, value), max(high, value)
    span = (right - left) or 1.0

    def x(number: float) -> float:
        return 4 + (WIDTH - 8) * (number - left) / span

    width = (x(high) - x(low)) / len(counts)
    most = max(counts) or 1
    bars = format_html_join(
        "",
        '<rect x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                f"{x(low) + place * width:.1f}",
                f"{BASE - 48 * count / most:.1f}",
                f"{max(width - 1, 0.5):.1f}",
                f"{48 * count / most:.1f}",
            )
            for place, count in enumerate(counts)
            if count
        ),
    )
    limit_line = (
        format_html('<path class="iri-limit" d="M{} 8V{}"/>', f"{x(limit):.1f}", BASE)
        if limit is not None
        else ""
    )
    label = f"{name}: this IRI {value:.3f}; pairs of natural images from {low:.3f} to {high:.3f}"
    if limit is not None:
        label += f", to beat {limit:.3f}"
    return format_html(
        '<svg class="iri-null" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<g class="iri-bars">{}</g><path class="iri-base" d="M0 {}H{}"/>{}'
        '<path class="iri-mark" d="M{} 4V{}"/><path class="iri-mark-head" d="M{} {}l-6 9h12z"/>'
        '<text x="2" y="{}">{}</text><text x="{}" y="{}" text-anchor="end">{}</text></svg>',
        WIDTH,
        STRIP_HEIGHT,
        label,
        bars,
        BASE,
        WIDTH,
        limit_line,
        f"{x(value):.1f}",
        BASE,
        f"{x(value):.1f}",
        BASE,
        STRIP_HEIGHT - 1,
        f"{left:.3g}",
        WIDTH - 2,
        STRIP_HEIGHT - 1,
        f"{right:.3g}",
    )
