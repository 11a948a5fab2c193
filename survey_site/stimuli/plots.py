"""Small figures of the stimuli room, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

WIDTH, HEIGHT, MARGIN = 480, 140, 28


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
