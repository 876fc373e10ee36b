"""TODO pairforge/checks/shortcuts/false_discovery_rate.py"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .feature_matrix import Floats, Ints, Mask


def attainable(total: Ints, level: float) -> Mask:
    """The features with votes enough to be significant beside each other (Tarone 1990; Gilbert 2005)."""
    for least in range(1, 64):
        mask = total >= least
        if mask.sum() <= level * 2.0 ** (least - 1):
            return mask
    return np.zeros(len(total), bool)


def adjusted(p: Floats, tests: int | None = None) -> Floats:
    """Benjamini-Hochberg q-values of these p-values; `tests` is their number if others were larger and left out."""
    order = np.argsort(p, kind="stable")
    ranks = np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(1.0, np.minimum.accumulate((p[order] * (tests or len(p)) / ranks)[::-1])[::-1])
    return q


@dataclass(frozen=True)
class Discoveries:
    """Which features are significant at a level of false discoveries."""

    level: float
    q: Floats
    """q-value per feature; 1 where there are too few votes to tell."""
    tests: dict[int, int]
    """How many features each family tests."""
    factor: dict[int, float]
    """Families by families selected, for each one selected."""

    def threshold(self, z: Floats) -> float:
        """The |z| from which features are significant, about: the least of those that are, or Bonferroni's."""
        tested = max(1, sum(self.tests.values()))
        least = np.abs(z[self.features]).min(initial=np.inf)
        return float(least) if np.isfinite(least) else math.sqrt(max(1.0, 2 * math.log(tested / self.level)))

    @property
    def features(self) -> Ints:
        """The significant ones."""
        return np.flatnonzero(self.q <= self.level)

    def still(self, p: Floats, kind: Ints, spend: float = 1.0) -> Mask:
        """Which of some of these features are significant by other p-values, all the rest counted as p = 1.

        `spend` is the part of the level that is spent on it.
        """
        level = spend * self.level
        q = np.ones(len(p))
        for one in map(int, np.unique(kind)):
            q[kind == one] = adjusted(p[kind == one], self.tests[one])
        return np.asarray(q * _factors(q, kind, self.tests, level)[kind] <= level)


def families(p: Floats, total: Ints, kind: Ints, level: float) -> Discoveries:
    """Control within families and over them (Benjamini & Bogomolov 2014).

    Simes' p of each family, BH over the families, then BH inside those selected, at level x selected / families.

    Terms (kind 0) are asked about, not searched for: a family that stands outside.
    """
    q, tests = np.ones(len(p)), dict[int, int]()
    for one in map(int, np.unique(kind)):
        members = np.flatnonzero(kind == one)
        members = members if one == 0 else members[attainable(total[members], level)]
        if len(members):
            q[members] = adjusted(p[members])
            tests[one] = len(members)
    factors = _factors(q, kind, tests, level)
    found = {one: float(factor) for one, factor in enumerate(factors) if np.isfinite(factor)}
    return Discoveries(level, np.minimum(1.0, q * factors[kind]), tests, found)


def _factors(q: Floats, kind: Ints, tests: Mapping[int, int], level: float) -> Floats:
    """Families by families selected, for each family that is selected; infinite for the others, 1 for the terms."""
    searched = [one for one in tests if one != 0]
    least = np.array([q[kind == one].min(initial=1.0) for one in searched])
    factors = np.full(max(tests, default=0) + int(kind.max(initial=0)) + 1, np.inf)
    factors[0] = 1.0
    selected = adjusted(least) <= level if searched else np.empty(0, np.bool_)
    factors[[one for one, chosen in zip(searched, selected, strict=True) if chosen]] = len(searched) / max(
        1, selected.sum()
    )
    return factors
