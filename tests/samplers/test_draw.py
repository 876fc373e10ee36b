"""The Gumbel-max trick draws from the softmax, row by row, and flags logits that are none."""

import torch

from pairforge.samplers.draw import Draw

LOGITS = torch.tensor([1.0, 0.0, -1.0, -torch.inf])


def shares(temperature: float) -> torch.Tensor:
    draw = Draw(temperature, list(range(4000)))
    picked = draw(torch.zeros(4000, 1), LOGITS.repeat(4000, 1)).argmax(-1)
    return torch.bincount(picked, minlength=4) / 4000


def test_it_draws_from_the_softmax_at_the_temperature() -> None:
    for temperature in (1.0, 0.5):
        assert torch.allclose(shares(temperature), torch.softmax(LOGITS / temperature, -1), atol=0.03)


def test_zero_is_greedy() -> None:
    assert shares(0.0).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_row_keeps_its_stream_whoever_stands_beside_it() -> None:
    scores = torch.zeros(3, 50)
    together = Draw(1.0, [1, 2, 3])
    alone = Draw(1.0, [2])
    for _ in range(5):
        assert torch.equal(together(scores, scores)[1], alone(scores[:1], scores[:1])[0])


def test_broken_logits_are_remembered() -> None:
    draw = Draw(0.0, [0, 1])
    draw(torch.zeros(2, 1), torch.tensor([[0.0, torch.nan], [0.0, -torch.inf]]))
    draw(torch.zeros(2, 1), torch.zeros(2, 2))
    assert draw.bad == [True, False]
