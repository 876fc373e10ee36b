"""The exact sign test, false discovery control within and over families, intervals, and the conditional score test."""

from __future__ import annotations

import math
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
    p = np.ones(len(total))
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _EXACT + 1)))])
    for n in np.unique(total[(total > 0) & (total <= _EXACT)]):
        mask = total == n
        k = np.arange(fewer[mask].max() + 1)
        tail = np.cumsum(np.exp(log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * math.log(2)))
        p[mask] = np.minimum(1.0, 2 * tail[fewer[mask]])
    for index in np.flatnonzero(total > _EXACT):
        z = max(0.0, abs(wins[index] - losses[index]) - 1) / math.sqrt(total[index])
        p[index] = math.erfc(z / math.sqrt(2))
    return p


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

    @property
    def features(self) -> Ints:
        """The significant ones."""
        return np.flatnonzero(self.q <= self.level)

    def still(self, p: Floats, kind: Ints) -> Mask:
        """Which of some of these features are significant by other p-values, all the rest counted as p = 1."""
        q = np.ones(len(p))
        for one in map(int, np.unique(kind)):
            q[kind == one] = adjusted(p[kind == one], self.tests[one]) * self.factor[one]
        return q <= self.level


def families(p: Floats, total: Ints, kind: Ints, level: float) -> Discoveries:
    """Control within families and over them (Benjamini & Bogomolov 2014).

    Simes' p of each family, BH over the families, then BH inside those selected, at level x selected / families.

    Terms (kind 0) are asked about, not searched for: a family that stands outside.
    """
    q, simes, tests = np.ones(len(p)), dict[int, float](), dict[int, int]()
    for one in map(int, np.unique(kind)):
        members = np.flatnonzero(kind == one)
        members = members if one == 0 else members[attainable(total[members], level)]
        if len(members):
            q[members] = adjusted(p[members])
            tests[one], simes[one] = len(members), float(q[members].min())
    searched = [one for one in simes if one != 0]
    over = adjusted(np.array([simes[one] for one in searched])) if searched else np.empty(0)
    selected = [one for one, value in zip(searched, over, strict=True) if value <= level]
    factor = {one: len(searched) / len(selected) for one in selected} | {0: 1.0}
    scale = np.array([factor.get(int(one), np.inf) for one in kind])
    return Discoveries(level, np.minimum(1.0, q * scale), tests, factor)


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
    size = len(votes.features)
    score = np.bincount(votes.feature, weights=votes.sign * (1 - p[votes.unit]), minlength=size)
    variance = np.bincount(votes.feature, weights=(p * (1 - p))[votes.unit], minlength=size)
    return np.where(variance > 1e-9, score / np.sqrt(np.maximum(variance, 1e-9)), 0.0)


def two_sided(z: Floats) -> Floats:
    """Two-sided p of a standard normal z."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z])
