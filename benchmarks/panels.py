"""Draw small line charts in rows, with a legend, as one self-contained SVG file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = ("#c0392b", "#e08e45", "#2471a3", "#1e8449")
STYLE = (
    "text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#333}.title{font-size:13px;font-weight:600}"
    ".axis{stroke:#999;fill:none}.grid{stroke:#eee}.line{fill:none;stroke-width:2}.dash{stroke-dasharray:5 3}"
)
WIDE, HIGH, LEFT, TOP = 270, 190, 46, 30  # size of a panel, and the position of the plot in it
Line = tuple[str, Sequence[tuple[float, float]]]
"""A colour and the points (x, y)."""


def panel(title: str, lines: Sequence[Line], bounds: tuple[float, float] | None = None) -> str:
    """Draw lines over steps. `bounds` are the limits of y; by default those of the values and zero."""
    values = [y for _, spots in lines for _, y in spots]
    low, high = bounds or (min(0.0, *values), max(0.0, *values))
    high = high if high > low else low + 1
    last = max(x for _, spots in lines for x, _ in spots)
    width, height = WIDE - LEFT - 12, HIGH - TOP - 28

    def place(x: float, y: float) -> str:
        return f"{LEFT + x / last * width:.1f} {TOP + (high - y) / (high - low) * height:.1f}"

    parts = [f'<text class="title" x="{LEFT}" y="{TOP - 10}">{escape(title)}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = low + share * (high - low)
        parts.append(f'<path class="grid" d="M{place(0, y)}H{LEFT + width}"/>')
        level = TOP + (1 - share) * height + 4
        parts.append(
            f'<text x="{LEFT - 6}" y="{level:.1f}" text-anchor="end">{y:.{2 if high - low < 4 else 0}f}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{TOP + height}H{LEFT + width}"/>')
    for step in (0, last / 2, last):
        x = place(step, low).split()[0]
        parts.append(f'<text x="{x}" y="{TOP + height + 17}" text-anchor="middle">{step:.0f}</text>')
    for number, (colour, spots) in enumerate(lines):
        path = "L".join(place(x, y) for x, y in spots)
        kind = "line dash" if number % 2 else "line"
        parts.append(f'<path class="{kind}" stroke="{colour}" d="M{path}"/>')
    return "".join(parts)


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Draw a panel with the colour and the name of each line, in drawing order."""
    parts = []
    for number, (colour, name) in enumerate(entries):
        y = TOP + 24 * number + 8
        kind = "line dash" if number % 2 else "line"
        parts.append(f'<path class="{kind}" stroke="{colour}" d="M{LEFT - 20} {y}h26"/>')
        parts.append(f'<text x="{LEFT + 14}" y="{y + 4}">{escape(name)}</text>')
    parts.append(f'<text x="{LEFT - 20}" y="{TOP + 24 * len(entries) + 12}">x: steps of 8 pairs</text>')
    return "".join(parts)


def sheet(title: str, panels: Sequence[str], columns: int) -> str:
    """Return the whole picture as SVG."""
    width, height = WIDE * columns + 10, HIGH * -(-len(panels) // columns) + 40
    body = "".join(
        f'<g transform="translate({number % columns * WIDE} {number // columns * HIGH + 34})">{one}</g>'
        for number, one in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><style>{STYLE}</style><rect width="{width}" height="{height}" '
        f'fill="#fff"/><text class="title" x="{LEFT - 20}" y="22">{escape(title)}</text>{body}</svg>\n'
    )
