"""Which side of each pair holds a feature: a sparse matrix of +1 (chosen) and -1 (rejected)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, overload

import numpy as np
import numpy.typing as npt

from .features import KINDS, Feature

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


class FeatureNames(Sequence[Feature]):
    """The features by their numbers, each looked up when it is asked for."""

    def __init__(self, look_up: Callable[[int], Feature], size: int) -> None:
        self._look_up, self._size = look_up, size
        self._known: dict[int, Feature] = {}

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> Feature: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Feature]: ...
    def __getitem__(self, index: int | slice) -> Feature | Sequence[Feature]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(self._size))]
        found = self._known.get(index)
        if found is None:
            found = self._known[index] = self._look_up(int(index))
        return found


@dataclass(frozen=True)
class FeatureMatrix:
    """Entries (feature, unit, sign) in no order; a unit is a pair or a prompt. Ties have no entry."""

    features: Sequence[Feature]
    kind: Ints
    """Index into KINDS, per feature."""
    feature: Ints
    unit: Ints
    sign: npt.NDArray[np.int8]
    units: int

    @property
    def size(self) -> int:
        return len(self.kind)

    def of(self, kind: str) -> Mask:
        """Which features are of a kind."""
        return np.asarray(self.kind == KINDS.index(kind))

    def count(self) -> tuple[Ints, Ints]:
        """How often each feature votes for chosen, and how often for rejected."""
        wins = np.bincount(self.feature[self.sign > 0], minlength=self.size)
        return wins, np.bincount(self.feature, minlength=self.size) - wins

    def dense(self, feature: int) -> Floats:
        """The votes of one feature, per unit."""
        mask = self.feature == feature
        return np.bincount(self.unit[mask], weights=self.sign[mask], minlength=self.units).astype(np.float64)

    def only(self, features: Ints) -> FeatureMatrix:
        """These features, renumbered in this order; they are known by number only."""
        place = np.full(self.size, -1, self.feature.dtype)
        place[features] = np.arange(len(features))
        moved = place[self.feature]
        return replace(self._where(moved >= 0, moved), features=(), kind=self.kind[features])

    def left_to_terms(self, units: Mask) -> FeatureMatrix:
        """Without what other features than expected terms say of these units."""
        return self._where(~units[self.unit] | self.of("term")[self.feature]) if units.any() else self

    def by(self, unit_of: Ints, units: int) -> FeatureMatrix:
        """One vote a feature and larger unit (a prompt): the majority of its pairs; a tie is no vote."""
        if units == self.units:
            return self
        cells, place = np.unique(self.feature * np.int64(units) + unit_of[self.unit], return_inverse=True)
        sign = np.sign(np.bincount(place, weights=self.sign)).astype(np.int8)
        cells, sign = cells[sign != 0], sign[sign != 0]
        return replace(self, feature=cells // units, unit=cells % units, sign=sign, units=units)

    def _where(self, mask: Mask, feature: Ints | None = None) -> FeatureMatrix:
        feature = self.feature if feature is None else feature
        return replace(self, feature=feature[mask], unit=self.unit[mask], sign=self.sign[mask])
