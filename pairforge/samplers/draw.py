"""Draws the next token of each row from a random stream of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor, MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from .decoding import Decoding


class Draw(LogitsProcessor):  # type: ignore[misc]
    """Turns greedy decoding into sampling as `decoding` says (at temperature 0: leaves it greedy), row by row.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). `bad` marks rows whose logits held NaN or +inf, or
    nothing finite. The streams are those of the logits' device: another kind of device draws other samples.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int]) -> None:
        self.temperature = decoding.temperature
        self.seeds = list(seeds)
        self.bad = [False] * len(seeds)
        self._generators: list[torch.Generator] = []
        # In the order in which transformers applies them.
        self._warpers = [
            *([TopKLogitsWarper(decoding.top_k)] if decoding.top_k else []),
            *([TopPLogitsWarper(decoding.top_p)] if decoding.top_p < 1 else []),
            *([MinPLogitsWarper(decoding.min_p)] if decoding.min_p else []),
        ]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The scores (rows, vocabulary) whose argmax is the next token."""
        highest = scores.amax(-1, keepdim=True)
        self.bad = [old or new for old, new in zip(self.bad, (~highest.isfinite()).flatten().tolist(), strict=True)]
        if not self.temperature:
            return scores
        # From the highest, so that no temperature is too low for a float.
        scores = (scores - highest).float() / self.temperature
        for warper in self._warpers:
            scores = warper(input_ids, scores)
        return scores - self._exponential(scores).log()

    def keep(self, rows: Sequence[int]) -> None:
        """Goes on with these rows alone."""
        self.seeds = [self.seeds[row] for row in rows]
        self.bad = [self.bad[row] for row in rows]
        self._generators = [self._generators[row] for row in rows] if self._generators else []

    def _exponential(self, like: torch.Tensor) -> torch.Tensor:
        if not self._generators:
            self._generators = [torch.Generator(like.device).manual_seed(seed) for seed in self.seeds]
        noise = torch.empty_like(like)
        for row, generator in zip(noise, self._generators, strict=True):
            row.exponential_(generator=generator)
        return noise
