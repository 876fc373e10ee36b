"""Which side of a pair holds more of what was found to tell the sides apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..checks.shortcuts import Cue
from ..checks.shortcuts.features import Feature
from ..checks.shortcuts.tally import Text, measure
from ..checks.shortcuts.votes import Floats
from ..checks.sides import Sides, answer


def unintended(cues: Iterable[Cue]) -> list[Cue]:
    """Those that are worth a remedy: of grade medium at least, and not what the pairs are for."""
    return [cue for cue in cues if cue.grade != "low" and not cue.intended]


class Votes:
    """Measures texts by some cues."""

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.cues = list(cues)
        self._measures = [measure(Feature(cue.kind, cue.feature, cue.tokens)) for cue in cues]

    def held(self, text: str) -> Floats:
        """How much of each cue a text holds."""
        taken = Text(text)
        return np.array([one(taken) for one in self._measures], np.float64)

    def of(self, row: Mapping[str, Any]) -> Floats:
        """For each cue 1 where chosen holds more of it, -1 where rejected does, else 0."""
        sides = Sides.of(row)
        one, other = (self.held(answer(turns[sides.shared :])) for turns in (sides.chosen, sides.rejected))
        return np.sign(one - other)
