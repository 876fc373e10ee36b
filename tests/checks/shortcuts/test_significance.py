"""The tests of the audit against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pairforge.checks.shortcuts.false_discovery_rate import benjamini_hochberg, can_be_significant, control_families
from pairforge.checks.shortcuts.feature_matrix import Feature, FeatureMatrix
from pairforge.checks.shortcuts.significance import score_test, sign_test, two_sided_p, win_probabilities


def matrix_of(rows: list[list[int]]) -> FeatureMatrix:
    dense = np.array(rows)
    feature, observation = np.nonzero(dense)
    names = [Feature("words", str(n), (str(n),)) for n in range(len(dense))]
    return FeatureMatrix(
        names.__getitem__,
        np.full(len(dense), 5),
        feature,
        observation,
        dense[feature, observation].astype(float),
        dense.shape[1],
    )


def test_sign_test_is_the_exact_binomial() -> None:
    cells = [(wins, losses) for wins in range(13) for losses in range(13)]
    wins, losses = np.array(cells).T
    for (b, c), p in zip(cells, sign_test(wins, losses), strict=True):
        tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
        assert p == pytest.approx(min(1.0, 2 * tail), rel=1e-9)


def test_sign_test_goes_on_smoothly_above_the_table() -> None:
    below, above = sign_test(np.array([2100, 2101]), np.array([1900, 1900]))
    assert below == pytest.approx(above, rel=0.1)
    assert sign_test(np.array([5000]), np.array([5000]))[0] == pytest.approx(1.0)


def test_it_leaves_out_what_can_never_be_significant() -> None:
    total = np.array([1] * 1000 + [12] * 20)
    assert can_be_significant(total, 0.05).tolist() == [False] * 1000 + [True] * 20
    assert not can_be_significant(np.array([2, 3]), 0.05).any()
    assert can_be_significant(np.array([6]), 0.05).all()


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = np.array([0.03, 0.001, 0.02, 0.9])
    assert benjamini_hochberg(p) == pytest.approx([0.04, 0.004, 0.04, 0.9])
    assert benjamini_hochberg(p, 8) == pytest.approx([0.08, 0.008, 0.08, 1.0])


def test_families_are_controlled_over_each_other() -> None:
    p = np.array([1e-6, 0.5, 0.5, 0.6, 0.04])
    kind, total = np.array([1, 1, 2, 3, 0]), np.full(5, 100)
    found = control_families(p, total, kind, 0.05)
    assert found.q == pytest.approx([6e-6, 1.0, 1.0, 1.0, 0.04])
    assert found.factor == {0: 1.0, 1: 3.0}
    assert found.tests == {0: 1, 1: 2, 2: 1, 3: 1}
    assert found.features.tolist() == [0, 4]
    assert found.significant_by(np.array([0.008, 0.5]), np.array([1, 0])).tolist() == [True, False]
    assert found.significant_by(np.array([0.009, 0.04]), np.array([1, 0])).tolist() == [False, True]


def test_score_test_without_knowledge_is_mcnemars_z() -> None:
    matrix = [[1] * 30 + [-1] * 10 + [0] * 60]
    (z,) = score_test(matrix_of(matrix), np.full(100, 0.5))
    assert z == pytest.approx(20 / math.sqrt(40))
    assert two_sided_p(np.array([1.96]))[0] == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("losses", [0, 20])
def test_what_is_known_explains_its_copy_but_not_a_second_cause(losses: int) -> None:
    rng = np.random.default_rng(0)
    cause = np.array([1] * (200 - losses) + [-1] * losses + [0] * 200)
    copy = np.where(rng.random(400) < 0.9, cause, 0)
    other = np.roll(cause, 137)
    known = win_probabilities(cause[:, None].astype(float))
    z = score_test(matrix_of([cause.tolist(), copy.tolist(), other.tolist()]), known)
    assert np.abs(z[:2]).max() < 2
    assert z[2] > 5
