"""Rebalancing: other answers to a prompt, or fewer rows, so that the sides differ less in what was found."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from ...pairers import usable
from ...text import listed
from ...types import Answer, Key, Pair, Prompt, digest
from ..arrays import Floats
from ..row import Sides
from . import Cue
from .counting import TokenizedText, feature_measure
from .features import Feature

MOST = 0.2
"""Share of the rows that may be dropped."""
_NAMED = 3
_TAKEN_OFF = ("spaces at the start", "spaces at the end", "line breaks at the start", "line breaks at the end")
"""Habits that `balance` takes off the answers."""
_LEAST = 0.5
"""Share of a pair's margin that another pair of the same answers must have."""


def unintended(cues: Iterable[Cue]) -> list[Cue]:
    """Return the cues that are worth a remedy: of grade medium at least, and not intended."""
    return [cue for cue in cues if cue.grade != "low" and not cue.intended]


def beyond_balance(cues: Iterable[Cue]) -> list[str]:
    """Return a line where shortcuts are in so many pairs that too few would be left without them."""
    most = [
        cue.phrase
        for cue in unintended(cues)
        if abs(cue.chosen_rate - cue.rejected_rate) > MOST and cue.feature not in _TAKEN_OFF
    ]
    if not most:
        return []
    return [f"{listed([*map(repr, most)], _NAMED)} can't be balanced away: too many pairs have it; make other pairs"]


class CueMeasures:
    """Measures texts and rows by some cues."""

    def __init__(self, cues: Sequence[Cue]) -> None:
        self.cues = list(cues)
        self._measures = [feature_measure(Feature(cue.kind, cue.feature, cue.tokens)) for cue in cues]

    def text(self, text: str) -> Floats:
        """Return how much of each cue a text holds."""
        tokenized = TokenizedText(text)
        return np.array([measure(tokenized) for measure in self._measures], np.float64)

    def signs(self, row: Mapping[str, Any]) -> Floats:
        """Return for each cue 1 where chosen holds more of it, -1 where rejected does, else 0."""
        one, other = map(self.text, Sides.of(row).said())
        return np.sign(one - other)


@dataclass(frozen=True)
class Evidence:
    """What a run was made of: answers by (prompt id, index), scores by (what was scored, digest of the answer)."""

    answers: Mapping[Key, Answer]
    scores: Mapping[tuple[str, str], float]
    margin: float = 0.0

    def scored(self, row: Mapping[str, Any]) -> dict[str, float]:
        """Return the usable answers to the row's prompt with their scores; none where these are not certain.

        A score belongs to a prompt with its columns, which rows don't carry: it is identified by the row's own two
        answers and scores. Where several fit, those that have scores for most answers must agree.
        """
        keys = ((row["chosen"], row.get("chosen_score")), (row["rejected"], row.get("rejected_score")))
        sides = [(digest(turns[-1]["content"]), score) for turns, score in keys]
        names = [
            name
            for name in self._names.get(sides[0][0], ())
            if all(self.scores.get((name, text)) == score for text, score in sides)
        ]
        kept = usable(self._texts.get(row.get("prompt_id", ""), []))
        texts = [one.text for one in kept] if isinstance(kept, list) else []
        found = [{t: self.scores[name, digest(t)] for t in texts if (name, digest(t)) in self.scores} for name in names]
        most = max(map(len, found), default=0)
        fullest = [one for one in found if len(one) == most]
        return fullest[0] if fullest and all(one == fullest[0] for one in fullest) else {}

    @cached_property
    def _texts(self) -> Mapping[str, list[Answer]]:
        found = defaultdict[str, list[Answer]](list)
        for (prompt, _), stored in sorted(self.answers.items(), key=lambda item: item[0]):
            found[prompt].append(stored)
        return found

    @cached_property
    def _names(self) -> Mapping[str, list[str]]:
        found = defaultdict[str, list[str]](list)
        for name, text in self.scores:
            found[text].append(name)
        return found


@dataclass
class Repicker:
    """Picks the pairs again, row by row, so that over all rows each cue is as often on one side as on the other.

    The chosen answer stays the better one by its score: by at least half of the margin that the row had, and by more
    than the run's margin. Where length is a cue, of equal pairs the one with the closest lengths is taken, else the
    row's own. `unknown` counts rows whose answers or scores are not in the evidence.
    """

    measures: CueMeasures
    evidence: Evidence
    rows: Iterable[Mapping[str, Any]]
    unknown: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._lengths = any(cue.kind == "length" for cue in self.measures.cues)
        self._sum = sum(map(self.measures.signs, self.rows), np.zeros(len(self.measures.cues)))

    def pick(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the row with other answers; None where its own are best."""
        scored = self.evidence.scored(row)
        if not scored:
            self.unknown += 1
            return None
        own = row["chosen"][-1]["content"], row["rejected"][-1]["content"]
        best = self._best(own, scored)
        if best == own:
            return None
        prompt = Prompt(tuple(row["chosen"][:-1]))
        made = Pair.of(prompt, *best, method="", model="", judge="", chosen_score=0.0, rejected_score=0.0).row()
        scores = {"chosen_score": scored[best[0]], "rejected_score": scored[best[1]]}
        return {**row, **{name: made[name] for name in ("chosen", "rejected", "id")}, **scores}

    def _best(self, own: tuple[str, str], scored: Mapping[str, float]) -> tuple[str, str]:
        held = {text: self.measures.text(text) for text in {*scored, *own}}
        rest = self._sum - np.sign(held[own[0]] - held[own[1]])
        least = max(0.0, self.evidence.margin)
        wanted = _LEAST * (scored[own[0]] - scored[own[1]])

        def cost(pair: tuple[str, str]) -> tuple[float, ...]:
            imbalance = float(np.abs(rest + np.sign(held[pair[0]] - held[pair[1]])).sum())
            length = abs(math.log((len(pair[0]) + 1) / (len(pair[1]) + 1))) if self._lengths else 0.0
            return imbalance, length, pair != own, scored[pair[1]] - scored[pair[0]]

        pairs = [
            pair
            for pair in permutations(scored, 2)
            if (margin := scored[pair[0]] - scored[pair[1]]) > least and margin >= wanted
        ]
        best = min([own, *pairs], key=cost)
        self._sum = rest + np.sign(held[best[0]] - held[best[1]])
        return best


def subsample(
    rows: Iterable[tuple[int, Mapping[str, Any]]], measures: CueMeasures, seed: int
) -> tuple[dict[int, str], list[str]]:
    """Return which of the numbered rows to drop, and for which cue, so that each cue is as often on either side.

    Also return the cues that are left as they are, because more than a fifth of the rows would have to be dropped. The
    rows are drawn at random: dropping the easiest ones would make the next audit look better than the pairs are.
    """
    numbered = [(number, measures.signs(row)) for number, row in rows]
    order = {number: digest([seed, number]) for number, _ in numbered}
    dropped: dict[int, str] = {}
    left: list[str] = []
    room = int(MOST * len(numbered))
    for column, cue in enumerate(measures.cues):
        kept = [(number, signs[column]) for number, signs in numbered if number not in dropped]
        imbalance = int(sum(sign for _, sign in kept))
        if abs(imbalance) > room - len(dropped):
            left.append(cue.phrase)
            continue
        majority = sorted((number for number, sign in kept if sign == np.sign(imbalance)), key=order.__getitem__)
        dropped |= dict.fromkeys(majority[: abs(imbalance)], cue.phrase)
    return dropped, left
