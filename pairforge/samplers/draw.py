"""Draws the next token of each row from a random stream of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor


class Draw(LogitsProcessor):  # type: ignore[misc]
    """Turns greedy decoding into sampling at `temperature` (0: leaves it greedy), row by row.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). `bad` marks rows whose logits held NaN or +inf.
    """

    def __init__(self, temperature: float, seeds: Sequence[int]) -> None:
        self.temperature = temperature
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.bad = [False] * len(seeds)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        broken = torch.isnan(scores).any(-1) | torch.isposinf(scores).any(-1)
        self.bad = [old or new for old, new in zip(self.bad, broken.tolist(), strict=True)]
        if not self.temperature:
            return scores
        rows = [torch.empty(scores.shape[-1]).exponential_(generator=generator) for generator in self.generators]
        return scores.float() / self.temperature - torch.stack(rows).log().to(scores.device)
