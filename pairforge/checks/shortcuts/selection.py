"""Forward selection: features that stay significant given those already selected, so that one cause is one finding."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

import numpy as np

from ...statistics import wilson
from ..arrays import Floats, Ints, Mask
from .false_discovery_rate import Discoveries
from .feature_matrix import FeatureMatrix
from .features import KINDS, LONGEST, Feature, Words, contains, ngrams
from .significance import score_test, two_sided_p, win_probabilities
from .style import DERIVED

_MOST = 12
_TIES = 100
_PURE = 0.9
_SPEND = 0.5
"""Of the level of false discoveries, for what is found beside the first cause."""
_ALWAYS = 0.5
"""The share of the prompts in which a phrase has to be on one side only to be shown beside length; on the same side in
`_ONLY` of those."""
_ONLY = 0.95
_PHRASES = tuple(map(KINDS.index, ("first", "last", "words")))
_LENGTH, _STYLE = KINDS.index("length"), KINDS.index("style")
_ORDER = ("style", "first", "last", "words", "parts", "pattern", "length", "term")


@dataclass
class SelectedFeature:
    """A feature, by its number, and those that it explains."""

    feature: int
    explains: list[int] = field(default_factory=list)


class ForwardSelection:
    """Greedy forward selection by the score test: what is selected explains what is no longer significant given it.

    Args:
        matrix: One observation a prompt.
        significant: The features that can be selected.
        terms: The features that are expected; they are selected from the start.
        lengths: Signed differences of length, (prompts, columns), which are known before the other features if a length
            is significant; None where the edit itself makes the difference.
    """

    def __init__(self, matrix: FeatureMatrix, significant: Discoveries, terms: Ints, lengths: Floats | None) -> None:
        self.matrix, self.significant, self.lengths = matrix, significant, lengths
        self.candidates = significant.features
        self.some = matrix.select(self.candidates)
        self.terms = [SelectedFeature(int(term)) for term in terms]
        self.selected = list(self.terms)
        self.known = [matrix.signs(int(term)) for term in terms]

    def run(self) -> list[SelectedFeature]:
        """Return the selected features, what is expected first."""
        owner = max(self.terms, key=lambda one: int((self.matrix.feature == one.feature).sum()), default=None)
        left = self._without_terms()
        unknown = np.full(self.matrix.observations, 0.5)
        length = left & (self.some.kind == _LENGTH)
        if self.lengths is not None and length.any() and not self._is_explained(length, left & ~length):
            owner = self._select(self._strongest(length, unknown), left)
            self.known[-1:] = list(self.lengths.T)
        while left.any():
            p = win_probabilities(np.column_stack(self.known)) if self.known else unknown
            if owner:
                explained = left & ~self._significant(left, p)
                owner.explains += map(int, self.candidates[explained])
                left &= ~explained
            if not left.any() or len(self.selected) - len(self.terms) >= _MOST:
                break
            owner = self._select(self._strongest(left, p), left)
        return self._with_signatures(self._without_explained_length())

    def _is_explained(self, length: Mask, others: Mask) -> bool:
        """Return whether a nearly pure feature, the strongest that doesn't grow with length, explains all of length."""
        style = np.flatnonzero(others & (self.some.kind == _STYLE))
        others[[at for at in style if self.matrix.lookup(int(self.candidates[at])).name in DERIVED]] = False
        if not others.any():
            return False
        signs = self.matrix.signs(int(self.candidates[self._strongest(others, np.full(self.matrix.observations, 0.5))]))
        wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
        if wilson(max(wins, losses), wins + losses)[0] < _PURE:
            return False
        return not self._significant(length, win_probabilities(signs[:, None])).any()

    def _select(self, at: int, left: Mask) -> SelectedFeature:
        selected = SelectedFeature(int(self.candidates[at]))
        self.selected.append(selected)
        self.known.append(self.matrix.signs(selected.feature))
        left[at] = False
        return selected

    def _without_terms(self) -> Mask:
        """Return the candidates but the terms, and but those that hold a part of one: the term explains them."""
        left: Mask = np.ones(len(self.candidates), np.bool_)
        terms = {one.feature: self.matrix.lookup(one.feature).tokens for one in self.terms}
        for at, index in enumerate(map(int, self.candidates if terms else ())):
            tokens = self.matrix.lookup(index).tokens
            owner = next((one for one in self.terms if overlaps(tokens, terms[one.feature])), None)
            left[at] = owner is None and index not in terms
            if owner and index not in terms:
                owner.explains.append(index)
        return left

    def _significant(self, mask: Mask, p: Floats) -> Mask:
        """Return which of these candidates are significant given what is known."""
        found: Mask = np.zeros(len(mask), np.bool_)
        at = np.flatnonzero(mask)
        z = score_test(self.some, p)[at]
        found[at] = self.significant.significant_by(two_sided_p(z), self.some.kind[at], _SPEND)
        return found

    def _strongest(self, mask: Mask, p: Floats) -> int:
        """Return the candidate with the largest |z|; of equals the one that says most to a reader."""
        z = np.where(mask, np.abs(score_test(self.some, p)).round(3), -1.0)
        equal = np.flatnonzero(z == z.max())[:_TIES]
        return int(min(equal, key=lambda at: readability(self.matrix.lookup(int(self.candidates[at])))))

    def _without_explained_length(self) -> list[SelectedFeature]:
        """Return the selected features without length, selected before the others, where the others explain it."""
        length = next((one for one in self.selected if self.matrix.kind[one.feature] == _LENGTH), None)
        rest = [one for one in self.selected if one is not length]
        if length is None or not rest:
            return self.selected
        p = win_probabilities(np.column_stack([self.matrix.signs(one.feature) for one in rest]))
        if self._significant(self.candidates == length.feature, p).any():
            return self.selected
        owner = max(rest, key=lambda one: abs(float(self.matrix.signs(one.feature).sum())))
        owner.explains += [length.feature, *length.explains]
        return rest

    def _with_signatures(self, selected: list[SelectedFeature]) -> list[SelectedFeature]:
        """Return the selected features with the phrase that one side always says, where length explains it.

        It may be the cause of the length: a signature, a greeting, a sentence from a template. By its numbers alone it
        can't be told from the length that it brings, so both are shown.
        """
        length = next((one for one in selected if self.matrix.kind[one.feature] == _LENGTH), None)
        if length is None:
            return selected
        found = dict[str, tuple[int, int]]()
        for index in length.explains:
            feature = self.matrix.lookup(index) if self.matrix.kind[index] in _PHRASES else None
            if feature and _tells(feature):
                signs = self.matrix.signs(index)
                wins, losses = int((signs > 0).sum()), int((signs < 0).sum())
                apart = max(wins, losses)
                if apart >= _ALWAYS * len(signs) and apart >= _ONLY * (wins + losses):
                    found[feature.kind] = max(found.get(feature.kind, (0, 0)), (apart, index))
        kinds = [kind for kind in ("last", "first", "words") if kind in found]
        added = [SelectedFeature(found[kind][1]) for kind in kinds if kind != "words" or len(kinds) == 1]
        length.explains = [one for one in length.explains if one not in {new.feature for new in added}]
        return [*selected, *added]


def _tells(feature: Feature) -> bool:
    """Return whether a phrase is more than marks; among words it has to be long, as length brings more of all words."""
    marks = all(unicodedata.category(char)[0] in "PZ" for token in feature.tokens for char in token)
    return not marks and (feature.kind != "words" or len(feature.tokens) == LONGEST["words"])


def overlaps(tokens: Words, term: Words) -> bool:
    """Return whether a phrase shares a word (or two characters of a script without spaces) with a term."""
    return any(len("".join(run)) > 1 and contains(term, run) for run in ngrams(tokens, len(tokens)))


def readability(feature: Feature) -> tuple[int, int, int, str]:
    """Sort features by how much their name says, best first: words, style, marks and shapes, averages."""
    lettered = any(token[:1].isalpha() for token in feature.tokens) and feature.kind not in ("parts", "pattern")
    rank = 0 if lettered else 2 if feature.tokens else 3 if feature.name in DERIVED else 1
    return rank + 4 * (feature.kind == "length"), _ORDER.index(feature.kind), len(feature.tokens), feature.name
