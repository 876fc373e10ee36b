"""The features as points of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .report import Point
from .roots import Root
from .statistics import Discoveries
from .votes import Votes

_MOST, _FEWEST = 4000, 3


def points(votes: Votes, significant: Discoveries, roots: Sequence[Root]) -> tuple[Point, ...]:
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
