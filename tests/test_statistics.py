"""Shares, changes and win rates: intervals against the literature, and against counting."""

from __future__ import annotations

import json
from itertools import product
from math import comb, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.statistics import Change, Share, Wins, wilson

COUNTS = st.integers(1, 3000).flatmap(
    lambda of: st.integers(0, of).flatmap(
        lambda gained: st.tuples(st.just(gained), st.integers(0, of - gained), st.just(of))
    )
)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_those_of_the_literature(hits: int, of: int, low: float, high: float) -> None:
    assert Share(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def test_wilson_without_trials_with_all_hits_and_at_90_percent() -> None:
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0) and (Share(0, 0).value, Share(0, 0).interval) == (0.5, (0.0, 1.0))
    assert wilson(10, 10)[1] == 1.0
    assert wilson(50, 100, 1.645) == pytest.approx((0.4189, 0.5811), abs=1e-4)
    assert Share(2.5, 5).value == 0.5, "a tie is half a hit"


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_the_interval_holds_the_share_and_stays_within_0_and_1(numbers: tuple[int, int]) -> None:
    share = Share(*numbers)
    low, high = share.interval
    assert 0 <= low <= share.value + 1e-12
    assert share.value - 1e-12 <= high <= 1


@pytest.mark.parametrize(
    ("gained", "lost", "of", "low", "high"),
    # Fagerland, Lydersen and Laake 2017, Statistical Analysis of Contingency Tables, chapter 8: airway
    # hyper-responsiveness (Bentur et al. 2009) and complete response (Cavo et al. 2012), Tango's interval.
    [(1, 7, 21, -0.517, -0.026), (6, 16, 161, -0.1240, -0.0054)],
)
def test_paired_intervals_are_those_of_the_literature(gained: int, lost: int, of: int, low: float, high: float) -> None:
    assert Change(gained, lost, of).interval == pytest.approx((low, high), abs=5e-4)


@given(COUNTS)
def test_the_interval_of_a_change_holds_it_and_turns_with_it(counts: tuple[int, int, int]) -> None:
    gained, lost, of = counts
    low, high = Change(gained, lost, of).interval
    assert -1 <= low <= Change(gained, lost, of).value <= high <= 1
    turned = Change(lost, gained, of).interval
    assert turned == pytest.approx((-high, -low), abs=1e-9)
    assert Wins(gained, lost, of).interval == pytest.approx(((1 + low) / 2, (1 + high) / 2))


@pytest.mark.slow
@pytest.mark.parametrize(("gained", "lost", "of"), [(1, 7, 21), (5, 0, 50), (0, 3, 40), (30, 10, 200)])
def test_at_its_ends_a_change_is_1_96_standard_errors_off(gained: int, lost: int, of: int) -> None:
    """With the likeliest shares found by trying them all."""
    for end in Change(gained, lost, of).interval:
        shares = [step / 100_000 for step in range(1, 100_000) if step / 100_000 + end > 0]

        def likelihood(losses: float, end: float = end) -> float:
            rest = 1 - 2 * losses - end
            terms = ((gained, losses + end), (lost, losses), (of - gained - lost, rest))
            return sum(n * log(p) for n, p in terms if n) if min(p for _, p in terms) > 0 else float("-inf")

        losses = max(shares, key=likelihood)
        error = sqrt((2 * losses + end - end * end) / of)
        assert abs((gained - lost) / of - end) / error == pytest.approx(1.96, abs=0.01)


def test_paired_intervals_cover_what_they_claim() -> None:
    """Every outcome of 30 pairs, weighed: about 95 % of the time the true change lies within."""
    of = 30
    intervals = {(g, ls): Change(g, ls, of).interval for g, ls in product(range(of + 1), repeat=2) if g + ls <= of}
    covered = []
    for up, down in product((0.02, 0.1, 0.25, 0.45), repeat=2):
        covered.append(
            sum(
                comb(of, g) * comb(of - g, ls) * up**g * down**ls * (1 - up - down) ** (of - g - ls)
                for (g, ls), (low, high) in intervals.items()
                if low <= up - down <= high
            )
        )
    assert 0.94 < sum(covered) / len(covered) < 0.97
    assert min(covered) > 0.92


def test_the_pairing_narrows_the_interval() -> None:
    low, high = Change(1, 3, 1000).interval
    assert high - low < 0.015
    unpaired = Share(900, 1000).interval
    assert unpaired[1] - unpaired[0] > 0.03


def test_a_tie_is_half_a_win() -> None:
    assert Wins(0, 0, 10).value == 0.5
    assert Wins(3, 1, 10).value == 0.6
    value = Wins(3, 0, 10).as_json()
    assert (value["share"], value["hits"], value["of"], value["won"], value["lost"]) == (0.65, 6.5, 10, 3, 0)
    json.dumps(value, allow_nan=False)
