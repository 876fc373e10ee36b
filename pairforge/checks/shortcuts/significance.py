"""The exact sign test, false discovery control within and over families, intervals, and the conditional score test."""

from __future__ import annotations

import math

import numpy as np

from .feature_matrix import FeatureMatrix, Floats, Ints

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


def score_test(votes: FeatureMatrix, p: Floats) -> Floats:
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
