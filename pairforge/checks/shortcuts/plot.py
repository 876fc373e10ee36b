"""A plot of all features: how many prompts each tells apart, and how often it is on the chosen side there.

After Gardner et al. 2021, Competency Problems, figure 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...svg import ALARM, OTHER, REJECTED, figure_svg
from ...text import visible
from .false_discovery_rate import Discoveries
from .feature_matrix import FeatureMatrix
from .selection import SelectedFeature

_MOST, _FEWEST = 4000, 3


class Point(NamedTuple):
    """One or more features of the plot: prompts distinguished, share won by chosen, significant or not, and a name."""

    n: int
    win_rate: float
    significant: bool
    name: str = ""


def draw(points: Sequence[Point], threshold: float, title: str) -> str:
    """Return the plot as SVG text. Raises InputError where matplotlib is not installed."""
    return figure_svg(title, [partial(draw_panel, points, threshold)], columns=1, size=(11.0, 5.8))


def draw_panel(points: Sequence[Point], threshold: float, axes: Any) -> None:
    """Draw the plot on matplotlib's axes.

    x: prompts in which a feature is on one side only (log); y: share of them where that side is chosen. The curves are
    1/2 ± z / (2 sqrt n) at the z from which a feature is significant (`threshold`). Findings have a name.
    """
    most = max(10, *(point.n for point in points)) if points else 10
    axes.set(xscale="log", xlim=(1, 1.05 * most), ylim=(0, 1))
    axes.set(xlabel="prompts that the feature tells apart", ylabel="share that it wins for chosen")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    n = np.geomspace(max(1.0, threshold**2), max(most, threshold**2), 100)
    for sign, gid in ((1, "upper"), (-1, "lower")):
        axes.plot(n, 0.5 + sign * threshold / (2 * np.sqrt(n)), color=ALARM, gid=f"significance-{gid}")
    cells = {(round(math.log10(one.n), 2), round(one.win_rate, 2), one.significant): one for one in points}
    for significant, color in ((False, f"{OTHER}66"), (True, REJECTED)):
        places = [one[:2] for one in cells.values() if one.significant == significant and not one.name]
        axes.plot(*np.reshape(places, (-1, 2)).T, "o", ms=3.5, mew=0, color=color, clip_on=False)
    taken: list[tuple[float, float]] = []
    for number, point in enumerate(sorted((one for one in points if one.name), key=lambda one: -one.n)):
        x, y = axes.transData.transform(point[:2])
        height = y
        while any(abs(height - other) < 12 and abs(x - at) < 190 for at, other in taken):
            height += -12 if point.win_rate >= 0.5 else 12
        taken.append((x, height))
        axes.plot(*point[:2], "o", ms=8, color=ALARM, clip_on=False, gid=f"finding-{number}")
        name = visible(point.name if len(point.name) < 32 else point.name[:31] + "…")
        at_right = x > 0.75 * axes.bbox.x1
        offset, align = (-9 if at_right else 9, height - y), "right" if at_right else "left"
        axes.annotate(name, point[:2], offset, textcoords="offset points", ha=align, va="center", weight="bold")


def points(matrix: FeatureMatrix, significant: Discoveries, selected: Sequence[SelectedFeature]) -> tuple[Point, ...]:
    """Return the findings with their names, and all other features as cells of (prompts distinguished, wins).

    Of the cells the most common ones come first.
    """
    wins, losses = matrix.count()
    total = wins + losses
    found = significant.q <= significant.level
    cells = np.unique(np.column_stack([total, wins, found])[total >= _FEWEST], axis=0)[::-1][:_MOST]
    named = [
        Point(int(total[index]), float(wins[index] / total[index]), bool(found[index]), matrix.lookup(index).name)
        for index in (one.feature for one in selected)
        if total[index]
    ]
    return (*named, *(Point(int(n), float(w / n), bool(s)) for n, w, s in cells))
