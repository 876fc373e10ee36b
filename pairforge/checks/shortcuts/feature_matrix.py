"""The feature matrix: which side of each pair holds a feature, sparse, +1 for chosen and -1 for rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Floats, Ids, Ints, Mask, Signs
from .features import KINDS, Feature


@dataclass(frozen=True)
class FeatureMatrix:
    """Entries (feature, observation, sign) in no order; an observation is a pair or a prompt. Ties have no entry."""

    lookup: Callable[[int], Feature]
    """Returns a feature by its number."""
    kind: Ints
    """Index into KINDS, per feature."""
    feature: Ints
    observation: Ints
    sign: Signs
    observations: int

    @property
    def size(self) -> int:
        """How many features there are."""
        return len(self.kind)

    def is_kind(self, kind: str) -> Mask:
        """Return which features are of a kind."""
        return np.asarray(self.kind == KINDS.index(kind))

    def count(self) -> tuple[Ints, Ints]:
        """Return how often each feature is on the chosen side, and how often on the rejected one."""
        wins = np.bincount(self.feature[self.sign > 0], minlength=self.size)
        return wins, np.bincount(self.feature, minlength=self.size) - wins

    def signs(self, feature: int) -> Floats:
        """Return the signs of one feature for all observations; 0 where it has no entry."""
        mask = self.feature == feature
        return np.bincount(self.observation[mask], weights=self.sign[mask], minlength=self.observations).astype(float)

    def select(self, features: Ints) -> FeatureMatrix:
        """Return these features alone, renumbered in this order. They can't be looked up."""
        place = np.full(self.size, -1, self.feature.dtype)
        place[features] = np.arange(len(features))
        moved = place[self.feature]
        return replace(self, feature=moved, kind=self.kind[features])._masked(moved >= 0)

    def mask_pairs_explained_by_terms(self, explained: Mask) -> FeatureMatrix:
        """Return the matrix without the entries of features other than expected terms in these observations."""
        return self._masked(~explained[self.observation] | self.is_kind("term")[self.feature])

    def majority(self, group: Ints | Ids, groups: int) -> FeatureMatrix:
        """Return one sign a feature and group of observations (a prompt): that of the majority; a tie has no entry."""
        if groups == self.observations:
            return self
        cells, place = np.unique(self.feature * np.int64(groups) + group[self.observation], return_inverse=True)
        sign = np.sign(np.bincount(place, weights=self.sign)).astype(np.int8)
        cells, sign = cells[sign != 0], sign[sign != 0]
        return replace(self, feature=cells // groups, observation=cells % groups, sign=sign, observations=groups)

    def _masked(self, mask: Mask) -> FeatureMatrix:
        return replace(self, feature=self.feature[mask], observation=self.observation[mask], sign=self.sign[mask])
