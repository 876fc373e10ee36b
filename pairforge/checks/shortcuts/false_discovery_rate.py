"""The false discovery rate, controlled within families of features and over the families."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints, Mask


def can_be_significant(total: Ints, level: float) -> Mask:
    """Return which features have enough observations to become significant (Tarone 1990; Gilbert 2005)."""
    for least in range(1, 64):
        mask = total >= least
        if mask.sum() <= level * 2.0 ** (least - 1):
            return mask
    return np.zeros(len(total), bool)


def benjamini_hochberg(p: Floats, tests: int | None = None) -> Floats:
    """Return Benjamini-Hochberg q-values; `tests` is the number of tests if larger p-values were left out."""
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(1.0, np.minimum.accumulate((p[order] * (tests or len(p)) / ranks)[::-1])[::-1])
    return q


@dataclass(frozen=True)
class Discoveries:
    """The q-values of all features, and which of them are significant at a false discovery rate."""

    level: float
    q: Floats
    """q-value per feature; 1 where there are too few observations."""
    tests: dict[int, int]
    """How many features each family tests."""
    factor: dict[int, float]
    """Families by families selected, for each one selected."""

    def threshold(self, z: Floats) -> float:
        """Return about the |z| from which features are significant: the least of those that are, or Bonferroni's."""
        tested = max(1, sum(self.tests.values()))
        least = np.abs(z[self.features]).min(initial=np.inf)
        return float(least) if np.isfinite(least) else math.sqrt(max(1.0, 2 * math.log(tested / self.level)))

    @property
    def features(self) -> Ints:
        """The significant features."""
        return np.flatnonzero(self.q <= self.level)

    def significant_by(self, p: Floats, kind: Ints, spend: float = 1.0) -> Mask:
        """Return which of some features are significant by other p-values; all other features count as p = 1.

        `spend` is the part of the level that is spent on it.
        """
        level = spend * self.level
        q = np.ones(len(p))
        for one in map(int, np.unique(kind)):
            q[kind == one] = benjamini_hochberg(p[kind == one], self.tests[one])
        return np.asarray(q * _factors(q, kind, self.tests, level)[kind] <= level)


def control_families(p: Floats, total: Ints, kind: Ints, level: float) -> Discoveries:
    """Return the features significant within and over families (Benjamini and Bogomolov 2014).

    Simes' p of each family, BH over the families, then BH inside those selected, at level x selected / families.
    Terms (kind 0) were asked for, not searched for: their family is not counted with the others.
    """
    q, tests = np.ones(len(p)), dict[int, int]()
    for one in map(int, np.unique(kind)):
        members = np.flatnonzero(kind == one)
        members = members if one == 0 else members[can_be_significant(total[members], level)]
        if len(members):
            q[members] = benjamini_hochberg(p[members])
            tests[one] = len(members)
    factors = _factors(q, kind, tests, level)
    found = {one: float(factor) for one, factor in enumerate(factors) if np.isfinite(factor)}
    return Discoveries(level, np.minimum(1.0, q * factors[kind]), tests, found)


def _factors(q: Floats, kind: Ints, tests: Mapping[int, int], level: float) -> Floats:
    """Return families / families selected for each family selected; infinity for the others, 1 for the terms."""
    searched = np.array([one for one in tests if one != 0], np.int64)
    factors = np.full(max(tests, default=0) + int(kind.max(initial=0)) + 1, np.inf)
    factors[0] = 1.0
    selected = benjamini_hochberg(np.array([q[kind == one].min(initial=1.0) for one in searched])) <= level
    factors[searched[selected]] = len(searched) / max(1, selected.sum())
    return factors
