"""One cause, one finding: which of the significant features tell something that the others don't."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .false_discovery_rate import Discoveries
from .feature_matrix import FeatureMatrix, Floats, Ints, Mask
from .features import KINDS, Feature, Words
from .significance import chances, score_test, two_sided, wilson
from .style import DERIVED

_MOST = 12
_TIES = 100
_PURE = 0.9
_SPEND = 0.5
"""Of the level of false discoveries, for what is found beside the first cause."""
_LENGTH, _STYLE = KINDS.index("length"), KINDS.index("style")
_ORDER = ("style", "first", "last", "words", "parts", "pattern", "length", "term")


@dataclass
class SelectedFeature:
    """A feature (its place in the votes) and those that it explains."""

    feature: int
    children: list[int] = field(default_factory=list)


class Search:
    """Greedy forward selection by the score test: what is known explains what is no longer significant beside it.

    `terms` are the features that are expected, and known from the start. `lengths` (prompts, columns) are signed
    differences of length, known next if a length is significant; None where the edit itself makes the difference.
    """

    def __init__(self, votes: FeatureMatrix, significant: Discoveries, terms: Ints, lengths: Floats | None) -> None:
        self.votes, self.significant, self.lengths = votes, significant, lengths
        self.places = significant.features
        self.some = votes.only(self.places)
        self.roots = [SelectedFeature(int(term)) for term in terms]
        self.known = [votes.dense(int(term)) for term in terms]
        self.terms = len(terms)

    def run(self) -> list[SelectedFeature]:
        """The roots, what is expected first."""
        parent = max(self.roots, key=lambda root: int((self.votes.feature == root.feature).sum()), default=None)
        alive = self._without_terms()
        long = alive & (self.some.kind == _LENGTH)
        if self.lengths is not None and long.any() and not self._explained(long, alive & ~long):
            parent = self._take(self._strongest(long, np.full(self.votes.units, 0.5)), alive)
            self.known[-1:] = list(self.lengths.T)
        while alive.any():
            p = chances(np.column_stack(self.known)) if self.known else np.full(self.votes.units, 0.5)
            if parent:
                gone = alive & ~self._still(alive, p)
                parent.children += map(int, self.places[gone])
                alive &= ~gone
            if not alive.any() or len(self.roots) - self.terms >= _MOST:
                break
            parent = self._take(self._strongest(alive, p), alive)
        return self._fold_length()

    def _explained(self, long: Mask, others: Mask) -> bool:
        """Whether a nearly pure mark, the strongest of all that doesn't grow with length, leaves nothing of length."""
        style = np.flatnonzero(others & (self.some.kind == _STYLE))
        others[[place for place in style if self.votes.features[int(self.places[place])].name in DERIVED]] = False
        if not others.any():
            return False
        first = self._strongest(others, np.full(self.votes.units, 0.5))
        votes = self.votes.dense(int(self.places[first]))
        wins, losses = int((votes > 0).sum()), int((votes < 0).sum())
        if wilson(max(wins, losses), wins + losses)[0] < _PURE:
            return False
        return not self._still(long, chances(votes[:, None])).any()

    def _take(self, place: int, alive: Mask) -> SelectedFeature:
        root = SelectedFeature(int(self.places[place]))
        self.roots.append(root)
        self.known.append(self.votes.dense(root.feature))
        alive[place] = False
        return root

    def _without_terms(self) -> Mask:
        """The features but the terms, and but those that hold a part of one, which become its children."""
        alive: Mask = np.ones(len(self.places), np.bool_)
        if not self.roots:
            return alive
        terms = {root.feature: self.votes.features[root.feature].tokens for root in self.roots}
        for place, index in enumerate(map(int, self.places)):
            tokens = self.votes.features[index].tokens
            owner = next((root for root in self.roots if overlaps(tokens, terms[root.feature])), None)
            alive[place] = owner is None and index not in terms
            if owner and index not in terms:
                owner.children.append(index)
        return alive

    def _still(self, mask: Mask, p: Floats) -> Mask:
        """Which of these are significant beside what is known."""
        found: Mask = np.zeros(len(mask), np.bool_)
        at = np.flatnonzero(mask)
        z = score_test(self.some, p)[at]
        found[at] = self.significant.still(two_sided(z), self.some.kind[at], _SPEND)
        return found

    def _strongest(self, mask: Mask, p: Floats) -> int:
        """The place of the largest |z|; of equals the one that says most to a reader."""
        z = np.where(mask, np.abs(score_test(self.some, p)).round(3), -1.0)
        equal = np.flatnonzero(z == z.max())[:_TIES]
        return int(min(equal, key=lambda place: plainness(self.votes.features[int(self.places[place])])))

    def _fold_length(self) -> list[SelectedFeature]:
        """Length was known before the others were looked for; what one of them explains of it belongs to that one."""
        long = next((root for root in self.roots if self.votes.kind[root.feature] == _LENGTH), None)
        rest = [root for root in self.roots if root is not long]
        if long is None or not rest:
            return self.roots
        p = chances(np.column_stack([self.votes.dense(root.feature) for root in rest]))
        if self._still(self.places == long.feature, p).any():
            return self.roots
        owner = max(rest, key=lambda root: abs(float(self.votes.dense(root.feature).sum())))
        owner.children += [long.feature, *long.children]
        return rest


def overlaps(tokens: Words, term: Words) -> bool:
    """A phrase shares a word (or two characters of a script without spaces) with a term."""
    for start in range(len(tokens)):
        for end in range(start + 1, len(tokens) + 1):
            run = tokens[start:end]
            if len("".join(run)) > 1 and any(term[at : at + len(run)] == run for at in range(len(term))):
                return True
    return False


def plainness(feature: Feature) -> tuple[int, int, int, str]:
    """Sorts features by how much their name says to a reader, best first: words, style, marks and forms, averages."""
    lettered = any(token[:1].isalpha() for token in feature.tokens) and feature.kind not in ("parts", "pattern")
    rank = 0 if lettered else 2 if feature.tokens else 3 if feature.name in DERIVED else 1
    return rank + 4 * (feature.kind == "length"), _ORDER.index(feature.kind), len(feature.tokens), feature.name
