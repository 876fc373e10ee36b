"""The exact sign test, false discovery control within and over families, intervals, and the conditional score test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .votes import Floats, Ints, Mask, Votes

_EXACT = 4000
_RIDGE = 0.5


def sign_test(wins: Ints, losses: Ints) -> Floats:
    """Exact two-sided binomial p of wins against losses at 1/2: McNemar's test, p = 2 sum_{k<=min} C(n,k) / 2^n.

    Above 4000 votes by the normal approximation with continuity correction.
    """
    total, fewer = wins + losses, np.minimum(wins, losses)
    cells, place = np.unique(np.column_stack([total, fewer]), axis=0, return_inverse=True)
    p = np.ones(len(cells))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _EXACT + 1)))])
    for n in np.unique(cells[(cells[:, 0] > 0) & (cells[:, 0] <= _EXACT), 0]).tolist():
        start, stop = (int(np.searchsorted(cells[:, 0], edge)) for edge in (n, n + 1))
        k = np.arange(cells[stop - 1, 1] + 1)
        tail = np.cumsum(np.exp(log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * math.log(2)))
        p[start:stop] = np.minimum(1.0, 2 * tail[cells[start:stop, 1]])
    for index in np.flatnonzero(cells[:, 0] > _EXACT):
        n, fewest = cells[index].tolist()
        p[index] = math.erfc(max(0, n - 2 * fewest - 1) / math.sqrt(2 * n))
    return np.asarray(p[place.ravel()])


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


def wilson(hits: float, total: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share; z = 1.96 for 95 %, 1.645 for 90 %."""
    if not total:
        return 0.0, 1.0
    share, square = hits / total, z * z / total
    middle = (share + square / 2) / (1 + square)
    spread = z / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    return max(0.0, middle - spread), min(1.0, middle + spread)


def chances(known: Floats) -> Floats:
    """P(chosen wins) per unit by what is known, (units, columns) of signed differences: ridge logistic regression.

    No intercept: with the sides exchanged, the signs and the outcome turn round together.
    """
    weights = np.zeros(known.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30)))
        slope = known.T @ (1 - p) - _RIDGE * weights
        bend = (known * (p * (1 - p))[:, None]).T @ known + _RIDGE * np.eye(len(weights))
        step = np.clip(np.linalg.solve(bend, slope), -4, 4)
        weights += step
        if np.abs(step).max(initial=0) < 1e-6:
            break
    return np.asarray(1 / (1 + np.exp(-np.clip(known @ weights, -30, 30))))


def score_test(votes: Votes, p: Floats) -> Floats:
    """z of each feature beyond what `chances` explains: sum d (1-p) / sqrt(sum d^2 p (1-p)) (Rao's score test).

    With p = 1/2 everywhere it is McNemar's z.
    """
    p = p.astype(np.float32)
    weights = np.where(votes.sign > 0, (1 - p)[votes.unit], -(1 - p)[votes.unit])
    score = np.bincount(votes.feature, weights=weights, minlength=votes.size)
    variance = np.bincount(votes.feature, weights=(p * (1 - p))[votes.unit], minlength=votes.size)
    return np.where(variance > 1e-9, score / np.sqrt(np.maximum(variance, 1e-9)), 0.0)


def two_sided(z: Floats) -> Floats:
    """Two-sided p of a standard normal z."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z])
