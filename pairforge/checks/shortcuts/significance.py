"""The exact sign test, and the score test of a feature given what is already known."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Floats, Ints
from .feature_matrix import FeatureMatrix

_EXACT = 4000
_RIDGE = 0.5


def sign_test(wins: Ints, losses: Ints) -> Floats:
    """Return the exact two-sided binomial p of wins against losses at 1/2: McNemar's test.

    p = 2 sum_{k<=min} C(n,k) / 2^n; above 4000 observations the normal approximation with continuity correction.
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


def win_probabilities(known: Floats) -> Floats:
    """Return P(chosen wins) per observation by ridge logistic regression on what is known.

    `known` has signed differences, (observations, columns). There is no intercept: with the sides exchanged, the signs
    and the outcome change together.
    """
    weights = np.zeros(known.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-np.clip(known @ weights, -30, 30)))
        gradient = known.T @ (1 - p) - _RIDGE * weights
        hessian = (known * (p * (1 - p))[:, None]).T @ known + _RIDGE * np.eye(len(weights))
        step = np.clip(np.linalg.solve(hessian, gradient), -4, 4)
        weights += step
        if np.abs(step).max(initial=0) < 1e-6:
            break
    return np.asarray(1 / (1 + np.exp(-np.clip(known @ weights, -30, 30))))


def score_test(matrix: FeatureMatrix, p: Floats) -> Floats:
    """Return z of each feature beyond what `win_probabilities` explain: sum d (1-p) / sqrt(sum d^2 p (1-p)) (Rao).

    With p = 1/2 everywhere it is McNemar's z.
    """
    p = p.astype(np.float32)
    weights = np.where(matrix.sign > 0, (1 - p)[matrix.observation], -(1 - p)[matrix.observation])
    score = np.bincount(matrix.feature, weights=weights, minlength=matrix.size)
    variance = np.bincount(matrix.feature, weights=(p * (1 - p))[matrix.observation], minlength=matrix.size)
    return np.where(variance > 1e-9, score / np.sqrt(np.maximum(variance, 1e-9)), 0.0)


def two_sided_p(z: Floats) -> Floats:
    """Return the two-sided p of a standard normal z."""
    return np.array([math.erfc(abs(value) / math.sqrt(2)) for value in z])
