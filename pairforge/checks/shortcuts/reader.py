"""The blind reader: how often chosen can be picked by surface alone, cross-validated by prompt."""

from __future__ import annotations

import numpy as np

from .report import Share
from .statistics import wilson
from .votes import Ints, Mask, Votes

_FOLDS = 5
_LOUD = 3.0


def read(votes: Votes, prompt: Ints, seed: int = 0, only: Mask | None = None, pairs: Mask | None = None) -> Share:
    """Share of pairs in which paired naive Bayes picks chosen, never having seen the prompt; half where it can't.

    A feature's weight is log((wins + 1) / (losses + 1)) in the other folds, none under |z| = 1, at most 3. `votes` are
    by pair; `only` names the features that the reader sees, `pairs` those that take part.
    """
    mask = np.ones(len(votes.unit), bool) if pairs is None else pairs[votes.unit]
    mask &= True if only is None else only[votes.feature]
    feature, unit, sign = votes.feature[mask], votes.unit[mask], votes.sign[mask]
    taking = np.ones(votes.units, bool) if pairs is None else pairs
    fold = np.random.default_rng(seed).permutation(int(prompt.max(initial=-1)) + 1)[prompt] % _FOLDS
    score, size = np.zeros(votes.units), len(votes.features)
    for test in range(_FOLDS):
        held = fold[unit] == test
        wins, losses = (np.bincount(feature[~held & (sign == side)], minlength=size) for side in (1.0, -1.0))
        z = (wins - losses) / np.sqrt(np.maximum(wins + losses, 1))
        weight = np.where(np.abs(z) > 1, np.clip(np.log((wins + 1) / (losses + 1)), -_LOUD, _LOUD), 0.0)
        score += np.bincount(unit[held], weights=sign[held] * weight[feature[held]], minlength=votes.units)
    right = np.where(score > 0, 1.0, np.where(score < 0, 0.0, 0.5))[taking]
    if not len(right):
        return Share(0.5, 0.0, 1.0)
    prompts = len(np.unique(prompt[taking]))
    return Share(float(right.mean()), *wilson(float(right.mean()) * prompts, prompts))
