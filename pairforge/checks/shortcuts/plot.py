"""The features of a set as a picture, after Gardner et al. 2021, figure 1: a self-contained SVG.

The features as points of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from ...text import visible
from .false_discovery_rate import Discoveries
from .feature_matrix import FeatureMatrix
from .selection import SelectedFeature


class Point(NamedTuple):
    """One or more features in the picture: prompts told apart, share won by chosen, significant or not, and a name."""

    n: int
    win_rate: float
    significant: bool
    name: str = ""


_WIDTH, _HEIGHT = 860, 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 44, 50
_STYLE = """
text{font:12px system-ui,'DejaVu Sans',sans-serif;fill:#333}.title{font-size:14px;font-weight:600}
.axis{stroke:#999;fill:none}.grid{stroke:#eee}.curve{stroke:#c0392b;stroke-width:1.5;fill:none}
.noise{fill:#8899aa;fill-opacity:.35}.found{fill:#e08e45;fill-opacity:.8}.root{fill:#c0392b}.root+text{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3px}
"""


class _Scale:
    def __init__(self, most: int) -> None:
        self.most = max(1.0, math.log10(max(10, most)))

    def x(self, n: float) -> float:
        return _LEFT + math.log10(max(1.0, n)) / self.most * (_WIDTH - _LEFT - _RIGHT)

    def y(self, share: float) -> float:
        return _TOP + (1 - share) * (_HEIGHT - _TOP - _BOTTOM)


def draw(points: Sequence[Point], threshold: float, title: str) -> str:
    """x: prompts in which a feature stands on one side only (log); y: share of them where that side is chosen.

    The curve is 1/2 ± z / (2 sqrt n) at the z from which a feature is significant. Roots are named.
    """
    scale = _Scale(max((point.n for point in points), default=10))
    body = [
        *_axes(scale),
        *_curve(scale, threshold),
        *_dots(scale, points),
        *_named(scale, points),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/><text class="title" x="{_LEFT}" y="24">{escape(title)}'
        f"</text>{''.join(body)}</svg>\n"
    )


def _axes(scale: _Scale) -> Iterator[str]:
    for tenth in range(0, 11, 2):
        y = scale.y(tenth / 10)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tenth * 10} %</text>'
    for power in range(int(scale.most) + 1):
        x = scale.x(10**power)
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        yield f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{10**power:,}</text>'
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    yield f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">prompts that the feature tells apart</text>'
    turned = f'transform="translate(16 {_HEIGHT / 2}) rotate(-90)"'
    yield f'<text {turned} text-anchor="middle">share that it wins for chosen</text>'


def _curve(scale: _Scale, z: float) -> Iterator[str]:
    for sign in (1, -1):
        steps = [10 ** (scale.most * step / 100) for step in range(101)]
        spots = [(n, 0.5 + sign * z / (2 * math.sqrt(n))) for n in steps if z / (2 * math.sqrt(n)) <= 0.5]
        if spots:
            line = "L".join(f"{scale.x(n):.1f} {scale.y(share):.1f}" for n, share in spots)
            yield f'<path class="curve" d="M{line}"/>'


def _dots(scale: _Scale, points: Sequence[Point]) -> Iterator[str]:
    seen = set[tuple[str, str, bool]]()
    for point in points:
        place = (f"{scale.x(point.n):.0f}", f"{scale.y(point.win_rate):.0f}", point.significant)
        if not point.name and place not in seen:
            seen.add(place)
            kind = "found" if point.significant else "noise"
            yield f'<circle class="{kind}" cx="{place[0]}" cy="{place[1]}" r="2.5"/>'


def _named(scale: _Scale, points: Sequence[Point]) -> Iterator[str]:
    """The roots, with names that leave each other room."""
    taken: list[tuple[float, float]] = []
    for point in sorted((point for point in points if point.name), key=lambda point: -point.n):
        x, y = scale.x(point.n), scale.y(point.win_rate)
        height = y + 4
        while any(abs(height - other) < 13 and abs(x - at) < 190 for at, other in taken):
            height += 13 if point.win_rate >= 0.5 else -13
        taken.append((x, height))
        beside, anchor = (x - 9, "end") if x > _WIDTH - 220 else (x + 9, "start")
        name = escape(visible(point.name if len(point.name) < 32 else point.name[:31] + "…"))
        yield f'<circle class="root" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        yield f'<text x="{beside:.1f}" y="{height:.1f}" text-anchor="{anchor}">{name}</text>'


_MOST, _FEWEST = 4000, 3


def points(votes: FeatureMatrix, significant: Discoveries, roots: Sequence[SelectedFeature]) -> tuple[Point, ...]:
    """The roots with their names, all other features as cells of (prompts told apart, wins), the most common first."""
    wins, losses = votes.count()
    total = wins + losses
    found = significant.q <= significant.level
    cells = np.unique(np.column_stack([total, wins, found])[total >= _FEWEST], axis=0)[::-1][:_MOST]
    named = [
        Point(int(total[index]), float(wins[index] / total[index]), bool(found[index]), votes.features[index].name)
        for index in (root.feature for root in roots)
        if total[index]
    ]
    return (*named, *(Point(int(n), float(w / n), bool(s)) for n, w, s in cells))
