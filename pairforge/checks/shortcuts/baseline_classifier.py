"""The blind reader: how often chosen can be picked by surface alone, cross-validated by prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .feature_matrix import FeatureMatrix, Floats, Ints, Mask
from .report import ShareInterval
from .significance import chances, wilson

_FOLDS = 5
_LOUD = 3.0


def folds(units: int, seed: int = 0) -> Ints:
    """One of five folds for each prompt."""
    return np.random.default_rng(seed).permutation(units) % _FOLDS


@dataclass(frozen=True)
class BaselineScores:
    """The score of each pair, by a reader who has not seen it: above 0 it picks chosen."""

    score: Floats
    prompt: Ints

    def share(self, pairs: Mask | None = None) -> ShareInterval:
        """Share of (these) pairs in which it picks chosen; half where it can't say."""
        score, prompt = (self.score, self.prompt) if pairs is None else (self.score[pairs], self.prompt[pairs])
        if not len(score):
            return ShareInterval(0.5, 0.0, 1.0)
        right, prompts = float(np.mean((np.sign(score) + 1) / 2)), len(np.unique(prompt))
        return ShareInterval(right, *wilson(right * prompts, prompts))

    def easiness(self) -> Floats:
        """How easy a pair is, in bits: 1 + log2 P(chosen), from 1 (told at a glance) over 0 (chance) downwards.

        Pointwise V-information (Ethayarajh et al. 2022) of the surface; the scores are scaled to probabilities first.
        """
        scaled = self.score / max(1e-9, float(np.sqrt(np.mean(self.score**2))))
        return np.asarray(1 + np.log2(np.maximum(chances(scaled[:, None]), 1e-6)))


def read(votes: FeatureMatrix, prompt: Ints, only: Mask, seed: int = 0, pairs: Mask | None = None) -> BaselineScores:
    """Paired naive Bayes over the features that are asked for, learned from the (named) pairs of the other folds.

    A feature's weight is log((wins + 1) / (losses + 1)), none under |z| = 1, at most 3. `votes` are by pair.
    """
    mask = only[votes.feature] if pairs is None else only[votes.feature] & pairs[votes.unit]
    feature, unit, sign = votes.feature[mask], votes.unit[mask], votes.sign[mask]
    fold = folds(int(prompt.max(initial=-1)) + 1, seed)[prompt].astype(np.int8)[unit]
    score = np.zeros(votes.units)
    wins: Ints = np.zeros((_FOLDS, votes.size), np.int64)
    losses = wins.copy()
    for one in range(_FOLDS):
        here = fold == one
        wins[one] = np.bincount(feature[here & (sign > 0)], minlength=votes.size)
        losses[one] = np.bincount(feature[here & (sign < 0)], minlength=votes.size)
    for one in range(_FOLDS):
        here = fold == one
        won, lost = wins.sum(0) - wins[one], losses.sum(0) - losses[one]
        z = (won - lost) / np.sqrt(np.maximum(won + lost, 1))
        weight = np.where(np.abs(z) > 1, np.clip(np.log((won + 1) / (lost + 1)), -_LOUD, _LOUD), 0.0)
        score += np.bincount(unit[here], weights=sign[here] * weight[feature[here]], minlength=votes.units)
    return BaselineScores(score, prompt)
