"""The Gumbel-max trick draws from the softmax, cut as asked, row by row, and flags logits that are none."""

from typing import Any

import pytest
import torch

from pairforge.samplers.decoding import Decoding
from pairforge.samplers.draw import Draw

LOGITS = torch.tensor([1.0, 0.0, -1.0, -torch.inf])
DRAWS = 4000
# The 99.9 % quantiles of chi-square by degrees of freedom.
QUANTILES = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52}


def counts(logits: torch.Tensor, **settings: Any) -> torch.Tensor:
    draw = Draw(Decoding(**settings), list(range(DRAWS)))
    picked = draw(torch.zeros(DRAWS, 1), logits.repeat(DRAWS, 1)).argmax(-1)
    return torch.bincount(picked, minlength=len(logits))


def is_drawn_from(found: torch.Tensor, shares: torch.Tensor) -> bool:
    """Pearson's chi-square test."""
    possible = shares > 0
    expected = DRAWS * shares[possible]
    statistic = ((found[possible] - expected) ** 2 / expected).sum()
    return bool(found[~possible].sum() == 0 and statistic < QUANTILES[int(possible.sum()) - 1])


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_it_draws_from_the_softmax_at_the_temperature(temperature: float) -> None:
    assert is_drawn_from(counts(LOGITS, temperature=temperature), torch.softmax(LOGITS / temperature, -1))
    assert not is_drawn_from(counts(LOGITS, temperature=temperature), torch.softmax(LOGITS / (1.3 * temperature), -1))


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"top_p": 0.6}, [0, 1]),
        ({"top_p": 0.9}, [0, 1, 2, 3]),
        ({"top_k": 3}, [0, 1, 2]),
        ({"min_p": 0.45}, [0, 1, 2]),
        ({"top_k": 2, "top_p": 0.9}, [0, 1]),
    ],
    ids=str,
)
def test_the_distribution_is_cut_as_asked(settings: dict[str, Any], kept: list[int]) -> None:
    # At the temperature, the shares are 0.4, 0.24, 0.2, 0.1, 0.06.
    temperature, shares = 1.7, torch.tensor([0.4, 0.24, 0.2, 0.1, 0.06])
    left = torch.zeros(5).index_copy(0, torch.tensor(kept), shares[kept] / shares[kept].sum())
    assert is_drawn_from(counts(temperature * shares.log(), temperature=temperature, **settings), left)


def test_zero_is_greedy() -> None:
    assert counts(LOGITS).tolist() == [DRAWS, 0, 0, 0]


def test_no_temperature_is_too_low() -> None:
    assert counts(LOGITS, temperature=1e-300, top_p=0.9).tolist() == [DRAWS, 0, 0, 0]


def test_a_row_keeps_its_stream_whoever_stands_or_stays_beside_it() -> None:
    scores = torch.zeros(3, 50)
    together = Draw(Decoding(temperature=1.0), [1, 2, 3])
    alone = Draw(Decoding(temperature=1.0), [2])
    for _ in range(5):
        assert torch.equal(together(scores, scores)[1], alone(scores[:1], scores[:1])[0])
    together.keep([1, 2])
    for _ in range(5):
        assert torch.equal(together(scores[1:], scores[1:])[0], alone(scores[:1], scores[:1])[0])


def test_broken_logits_are_remembered() -> None:
    draw = Draw(Decoding(), [0, 1, 2, 3])
    rows = [[0.0, torch.nan], [0.0, -torch.inf], [0.0, torch.inf], [-torch.inf, -torch.inf]]
    draw(torch.zeros(4, 1), torch.tensor(rows))
    draw(torch.zeros(4, 1), torch.zeros(4, 2))
    assert draw.bad == [True, False, True, True]
    draw.keep([1, 2])
    assert draw.bad == [False, True]
