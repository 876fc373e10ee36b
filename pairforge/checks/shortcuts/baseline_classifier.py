"""A baseline classifier that never sees the prompt: how often it picks the chosen answer, cross-validated by prompt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...statistics import Share
from ..arrays import Floats, Hashes, Ints, Mask
from .feature_matrix import FeatureMatrix
from .significance import win_probabilities

FOLDS = 5
_MAX_WEIGHT = 3.0


def folds(prompts: Hashes) -> Ints:
    """Return one of five folds for each prompt, given by its hash: the same in whatever set, order or part it is."""
    return (prompts % np.uint64(FOLDS)).astype(np.int64)


@dataclass(frozen=True)
class BaselineScores:
    """The score of each pair by a classifier that was not trained on its prompt: above 0 it picks chosen."""

    score: Floats
    prompt: Hashes

    def accuracy(self, pairs: Mask | None = None) -> Share:
        """Return the share of (these) pairs in which it picks the chosen answer, with an interval over prompts.

        A pair about which it can't say anything counts one half.
        """
        score, prompt = (self.score, self.prompt) if pairs is None else (self.score[pairs], self.prompt[pairs])
        prompts = len(np.unique(prompt))
        return Share(prompts * float(np.mean((np.sign(score) + 1) / 2)) if prompts else 0.0, prompts)

    def easiness(self) -> Floats:
        """Return how easy each pair is, in bits: 1 + log2 P(chosen), from 1 (certain) over 0 (chance) downwards.

        Pointwise V-information (Ethayarajh et al. 2022) of the surface; the scores are scaled to probabilities first.
        """
        scaled = self.score / max(1e-9, float(np.sqrt(np.mean(self.score**2))))
        return np.asarray(1 + np.log2(np.maximum(win_probabilities(scaled[:, None]), 1e-6)))


def cross_validate(matrix: FeatureMatrix, prompt: Hashes, features: Mask, pairs: Mask | None = None) -> BaselineScores:
    """Return the scores of a paired naive Bayes classifier over some features, trained on the pairs of the other folds.

    The weight of a feature is log((wins + 1) / (losses + 1)), at most 3, and 0 below |z| = 1.

    Args:
        matrix: One observation a pair.
        prompt: The hash of the prompt of each pair: all pairs of a prompt are in one fold.
        features: The features to use.
        pairs: Train on these pairs only.
    """
    mask = features[matrix.feature] if pairs is None else features[matrix.feature] & pairs[matrix.observation]
    feature, pair, sign = matrix.feature[mask], matrix.observation[mask], matrix.sign[mask]
    fold = folds(prompt).astype(np.int8)[pair]
    in_fold = [fold == one for one in range(FOLDS)]
    wins, losses = (
        np.array([np.bincount(feature[here & (sign == side)], minlength=matrix.size) for here in in_fold])
        for side in (1, -1)
    )
    score = np.zeros(matrix.observations)
    for one, here in enumerate(in_fold):
        won, lost = wins.sum(0) - wins[one], losses.sum(0) - losses[one]
        z = (won - lost) / np.sqrt(np.maximum(won + lost, 1))
        weight = np.where(np.abs(z) > 1, np.clip(np.log((won + 1) / (lost + 1)), -_MAX_WEIGHT, _MAX_WEIGHT), 0.0)
        score += np.bincount(pair[here], weights=sign[here] * weight[feature[here]], minlength=matrix.observations)
    return BaselineScores(score, prompt)
