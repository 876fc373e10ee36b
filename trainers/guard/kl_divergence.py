"""TODO trainers/guard/kl_divergence.py"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .probes import scores


@dataclass
class KLDivergence:
    """How far a model has moved from what it was at the start, on its own answers of then.

    For each token of these answers the distribution that the model had is kept: its likeliest tokens, and all others
    as one. `measure` gives the mean Kullback-Leibler divergence from then to now, in nats a token; by the
    data-processing inequality, at most that of the whole distributions.
    """

    prompts: Sequence[Sequence[int]]
    answers: Sequence[Sequence[int]]
    pad: int
    then: tuple[Any, Any] | None = field(default=None, repr=False)
    """Log-probabilities and tokens, (tokens of all answers, kept)."""

    def measure(self, model: Any) -> float:
        """The divergence from the first call to this one; 0 at the first. Call within `asking`."""
        if not self.prompts:
            return 0.0
        now = self._log_probs(model)
        if self.then is None:
            self.then = now.topk(min(_TOP, now.shape[-1]), dim=-1)
        kept, tokens = self.then
        here, rest = now.gather(-1, tokens), _rest(kept)
        moved = (kept.exp() * (kept - here)).sum(-1) + rest.exp() * (rest - _rest(here))
        return float(moved.mean().clamp(min=0))

    def _log_probs(self, model: Any) -> Any:
        """(tokens of all answers, vocabulary), float32."""
        import torch

        rows = [[*prompt, *answer] for prompt, answer in zip(self.prompts, self.answers, strict=True)]
        said = [
            row[len(prompt) - 1 : len(prompt) + len(answer) - 1].clone()  # a view would hold all
            for row, prompt, answer in zip(scores(model, rows, self.pad), self.prompts, self.answers, strict=True)
        ]
        return torch.cat(said).float().log_softmax(-1)


def _rest(log_probs: Any) -> Any:
    """The log-probability of everything that is not among those given."""
    import torch

    return torch.log1p(-log_probs.exp().sum(-1).clamp(max=1 - 1e-6))


_TOP = 32
"""Tokens of a distribution that are kept; the rest of the vocabulary counts as one more."""
