"""The folds of the classifier: a prompt is in one, wherever it stands."""

from __future__ import annotations

import numpy as np

from pairforge.checks.shortcuts.baseline_classifier import FOLDS, folds


def test_the_fold_of_a_prompt_follows_from_its_hash_alone() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 10_000, np.uint64)
    found = folds(hashes)
    assert np.array_equal(folds(hashes[::-1]), found[::-1])
    assert np.array_equal(np.concatenate([folds(hashes[:3]), folds(hashes[3:])]), found)
    assert np.abs(np.bincount(found, minlength=FOLDS) - 2000).max() < 200
