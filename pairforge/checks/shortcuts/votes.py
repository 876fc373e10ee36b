"""Which side of each pair holds a feature: a sparse matrix of +1 (chosen) and -1 (rejected)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .answers import Answers
from .features import KINDS, LENGTH, STYLE, Words, closing, holds, opening, phrase, phrases, words

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
_RARE = 3


class Feature(NamedTuple):
    """One thing that can be noticed; `tokens` is empty for style and length."""

    kind: str
    name: str
    tokens: Words = ()


@dataclass(frozen=True)
class Votes:
    """Entries (feature, unit, sign), sorted by nothing; a unit is a pair or a prompt. Ties have no entry."""

    features: list[Feature]
    kind: Ints
    """Index into KINDS, per feature."""
    feature: Ints
    unit: Ints
    sign: Floats
    units: int

    def count(self) -> tuple[Ints, Ints]:
        """How often each feature votes for chosen, and how often for rejected."""
        size = len(self.features)
        wins = np.bincount(self.feature[self.sign > 0], minlength=size)
        return wins, np.bincount(self.feature, minlength=size) - wins

    def dense(self, feature: int) -> Floats:
        """The votes of one feature, per unit."""
        mask = self.feature == feature
        return np.bincount(self.unit[mask], weights=self.sign[mask], minlength=self.units).astype(np.float64)

    def only(self, features: Ints) -> Votes:
        """These features, renumbered in this order."""
        place = np.full(len(self.features), -1)
        place[features] = np.arange(len(features))
        mask = place[self.feature] >= 0
        names = [self.features[index] for index in features]
        return Votes(
            names, self.kind[features], place[self.feature[mask]], self.unit[mask], self.sign[mask], self.units
        )

    def left_to_terms(self, units: Mask) -> Votes:
        """Without what other features than expected terms say of these units."""
        kept = ~units[self.unit] | (self.kind[self.feature] == KINDS.index("term"))
        return Votes(self.features, self.kind, self.feature[kept], self.unit[kept], self.sign[kept], self.units)

    def by(self, unit_of: Ints, units: int) -> Votes:
        """One vote a feature and larger unit (a prompt): the majority of its pairs; a tie is no vote."""
        if units == self.units:
            return self
        cells, place = np.unique(self.feature * units + unit_of[self.unit], return_inverse=True)
        sign = np.sign(np.bincount(place, weights=self.sign))
        voted = sign != 0
        return Votes(self.features, self.kind, cells[voted] // units, cells[voted] % units, sign[voted], units)


@dataclass
class Pairs:
    """The answers with all that was noticed in them."""

    answers: Answers
    tokens: list[tuple[list[str], list[str]]]
    votes: Votes
    similarity: float


def notice(answers: Answers, expect: Sequence[str]) -> Pairs:
    """Everything that stands on one side more than on the other, pair by pair."""
    book = _Book()
    tokens, similar = [], []
    terms = [(term, tuple(words(term))) for term in expect]
    for unit, (chosen, rejected) in enumerate(zip(answers.chosen, answers.rejected, strict=True)):
        one, other = words(chosen), words(rejected)
        tokens.append((one, other))
        common = set(one) & set(other)
        similar.append(2 * len(common) / max(1, len(set(one)) + len(set(other))))
        for kind, see in (("first", opening), ("last", closing), ("words", phrases)):
            book.sets(kind, unit, see(one), see(other))
        for name, measure in STYLE.items():
            book.add(("style", name, ()), unit, measure(chosen) - measure(rejected))
        for name, size in LENGTH.items():
            book.add(("length", name, ()), unit, size(chosen, one) - size(rejected, other))
        for term, run in terms:
            book.add(("term", term, run), unit, holds(one, run) - holds(other, run))
    return Pairs(answers, tokens, book.votes(len(tokens)), float(np.median(similar)) if similar else 0.0)


class _Book:
    """Collects the entries while the pairs pass by."""

    def __init__(self) -> None:
        self.number: dict[Any, int] = {}
        self.feature, self.unit, self.sign = array("q"), array("q"), array("d")

    def add(self, key: Any, unit: int, difference: float) -> None:
        number = self.number.setdefault(key, len(self.number))
        if difference:
            self.feature.append(number)
            self.unit.append(unit)
            self.sign.append(1.0 if difference > 0 else -1.0)

    def sets(self, kind: str, unit: int, one: set[Words], other: set[Words]) -> None:
        number = self.number
        for sign, tokens in ((1.0, one - other), (-1.0, other - one)):
            self.feature.extend([number.setdefault((kind, run), len(number)) for run in tokens])
            self.unit.extend([unit] * len(tokens))
            self.sign.extend([sign] * len(tokens))

    def votes(self, units: int) -> Votes:
        """What was seen often enough to say anything; terms and named habits always."""
        feature, unit, sign = (
            np.frombuffer(a, dtype=a.typecode) if a else np.empty(0, a.typecode)
            for a in (self.feature, self.unit, self.sign)
        )
        often = np.bincount(feature, minlength=len(self.number)) >= _RARE
        keys = list(self.number)
        kept = [index for index in range(len(keys)) if often[index] or len(keys[index]) == 3]
        names = [
            Feature(*key) if len(key) == 3 else Feature(key[0], phrase(key[1]), key[1])
            for key in (keys[i] for i in kept)
        ]
        kind = np.array([KINDS.index(name.kind) for name in names], dtype=np.int64)
        place = np.full(len(keys), -1)
        place[kept] = np.arange(len(kept))
        mask = place[feature] >= 0 if len(keys) else np.empty(0, bool)
        return Votes(names, kind, place[feature[mask]], unit[mask], sign[mask], units)
