"""Another best and worst of the stored answers to a prompt, so that the sides differ less in what was found.

Fewer of the rows in which one side always holds the same: the last resort, since what is dropped is lost.
Which side of a pair holds more of what was found to tell the sides apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from ...pairers import usable
from ...types import Answer, Key, Pair, Prompt, digest
from ..row import Sides, answer
from . import Cue
from .counting import Text, measure
from .feature_matrix import Floats
from .features import Feature


def unintended(cues: Iterable[Cue]) -> list[Cue]:
    """Those that are worth a remedy: of grade medium at least, and not what the pairs are for."""
    return [cue for cue in cues if cue.grade != "low" and not cue.intended]


class RowFeatures:
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


_LEAST = 0.5
"""Share of a pair's margin that another pair of the same answers must have."""


@dataclass(frozen=True)
class Evidence:
    """What a run was made of: answers by (prompt id, index), scores by (what was scored, digest of the answer)."""

    answers: Mapping[Key, Answer]
    scores: Mapping[tuple[str, str], float]
    margin: float = 0.0

    def scored(self, row: Mapping[str, Any]) -> dict[str, float]:
        """The usable answers to the row's prompt with their scores; none where they are not known for certain.

        A score belongs to a prompt with its columns, which rows don't carry: it is known by the row's own two answers
        and scores. Where several fit, those that know the most of the answers must agree.
        """
        keys = ((row["chosen"], row.get("chosen_score")), (row["rejected"], row.get("rejected_score")))
        sides = [(digest(turns[-1]["content"]), score) for turns, score in keys]
        names = [name for name in self._names.get(sides[0][0], ()) if self._fits(name, sides)]
        kept = usable(self._texts.get(row.get("prompt_id", ""), []))
        texts = [one.text for one in kept] if isinstance(kept, list) else []
        found = [{t: self.scores[name, digest(t)] for t in texts if (name, digest(t)) in self.scores} for name in names]
        most = max(map(len, found), default=0)
        fullest = [one for one in found if len(one) == most]
        return fullest[0] if fullest and all(one == fullest[0] for one in fullest) else {}

    def _fits(self, name: str, sides: Iterable[tuple[str, Any]]) -> bool:
        return all(self.scores.get((name, text)) == score for text, score in sides)

    @cached_property
    def _texts(self) -> dict[str, list[Answer]]:
        found: dict[str, list[Answer]] = {}
        for (prompt, _), stored in sorted(self.answers.items(), key=lambda item: item[0]):
            found.setdefault(prompt, []).append(stored)
        return found

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, text in self.scores:
            found.setdefault(text, []).append(name)
        return found


@dataclass
class Repicker:
    """Picks again, row by row, so that over all rows as many pairs point one way as the other, by every cue.

    The chosen answer stays the better one by its score: by at least half of the margin that the row had, and by more
    than the run asked for. Where length is a cue, of equal pairs the one with the closest lengths is taken, else the
    row's own. `unknown` counts rows whose answers or scores are not at hand.
    """

    votes: RowFeatures
    evidence: Evidence
    unknown: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._lengths = any(cue.kind == "length" for cue in self.votes.cues)
        self._sum = np.zeros(len(self.votes.cues))

    def weigh(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes note of how the rows stand now; to be called first."""
        for row in rows:
            self._sum += self.votes.of(row)

    def pick(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row with other answers; None where its own do best."""
        scored = self.evidence.scored(row)
        if not scored:
            self.unknown += 1
            return None
        best = self._best(row, scored)
        if best == _texts(row):
            return None
        prompt = Prompt(tuple(row["chosen"][:-1]))
        made = Pair.of(prompt, *best, method="", model="", judge="", chosen_score=0.0, rejected_score=0.0).row()
        scores = {"chosen_score": scored[best[0]], "rejected_score": scored[best[1]]}
        return {**row, **{name: made[name] for name in ("chosen", "rejected", "id")}, **scores}

    def _best(self, row: Mapping[str, Any], scored: Mapping[str, float]) -> tuple[str, str]:
        own = _texts(row)
        held = {text: self.votes.held(text) for text in {*scored, *own}}
        rest = self._sum - np.sign(held[own[0]] - held[own[1]])
        least = max(0.0, self.evidence.margin)
        wanted = _LEAST * (scored[own[0]] - scored[own[1]])

        def cost(pair: tuple[str, str]) -> tuple[float, ...]:
            tilt = float(np.abs(rest + np.sign(held[pair[0]] - held[pair[1]])).sum())
            apart = abs(math.log((len(pair[0]) + 1) / (len(pair[1]) + 1))) if self._lengths else 0.0
            return tilt, apart, pair != own, scored[pair[1]] - scored[pair[0]]

        pairs = [
            pair
            for pair in permutations(scored, 2)
            if (margin := scored[pair[0]] - scored[pair[1]]) > least and margin >= wanted
        ]
        best = min([own, *pairs], key=cost)
        self._sum = rest + np.sign(held[best[0]] - held[best[1]])
        return best


def _texts(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["chosen"][-1]["content"], row["rejected"][-1]["content"]


MOST = 0.2
"""Share of the rows that may be dropped."""


def thinned(
    rows: Iterable[tuple[int, Mapping[str, Any]]], votes: RowFeatures, seed: int
) -> tuple[dict[int, str], list[str]]:
    """Which of the numbered rows to drop so that each cue points as often one way as the other, and for which cue.

    Also the cues that are left as they are, since more than a fifth of the rows would have to go. Rows are drawn by
    lot: drawn by how easily they are told, they would make the audit that follows look better than the set is.
    """
    numbered = [(number, votes.of(row)) for number, row in rows]
    lots = {number: digest([seed, number]) for number, _ in numbered}
    dropped: dict[int, str] = {}
    left: list[str] = []
    room = int(MOST * len(numbered))
    for column, cue in enumerate(votes.cues):
        kept = [(number, vote[column]) for number, vote in numbered if number not in dropped]
        tilt = int(sum(vote for _, vote in kept))
        if abs(tilt) > room - len(dropped):
            left.append(cue.phrase)
            continue
        majority = sorted((number for number, vote in kept if vote == np.sign(tilt)), key=lots.__getitem__)
        dropped |= dict.fromkeys(majority[: abs(tilt)], cue.phrase)
    return dropped, left
