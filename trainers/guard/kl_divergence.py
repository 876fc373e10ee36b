"""The KL divergence of a model in training from its initial state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .probes import forward_logits

_TOP = 32
"""The tokens of a distribution that are kept; the rest of the vocabulary counts as one more."""


@dataclass
class KLDivergence:
    """How far a model has moved from its initial state, measured on its own initial answers.

    For each token of these answers the initial distribution is kept: its likeliest tokens, and all others as one.
    `measure` returns the mean Kullback-Leibler divergence between these and the present ones, in nats per token; by the
    data-processing inequality it is at most that of the whole distributions.
    """

    prompts: Sequence[Sequence[int]]
    answers: Sequence[Sequence[int]]
    pad: int
    initial: tuple[Any, Any] | None = field(default=None, repr=False)
    """Log-probabilities and tokens, both of shape (tokens of all answers, kept tokens)."""

    def measure(self, model: Any) -> float:
        """Return the divergence since the first call; 0 at the first. To be called in `eval_mode`."""
        if not self.prompts:
            return 0.0
        now = self._log_probs(model)
        if self.initial is None:
            self.initial = now.topk(min(_TOP, now.shape[-1]), dim=-1)
        kept, tokens = self.initial
        here, rest = now.gather(-1, tokens), _rest(kept)
        divergence = (kept.exp() * (kept - here)).sum(-1) + rest.exp() * (rest - _rest(here))
        return float(divergence.mean().clamp(min=0))

    @property
    def entropy(self) -> float:
        """The mean entropy of the initial distributions, in nats per token; at least 0.1, since it is divided by."""
        if self.initial is None:
            return 1.0
        kept, rest = self.initial[0], _rest(self.initial[0])
        return max(0.1, -float(((kept.exp() * kept).sum(-1) + rest.exp() * rest).mean()))

    def _log_probs(self, model: Any) -> Any:
        """Return the log-probabilities, of shape (tokens of all answers, vocabulary), in float32."""
        import torch

        rows = [[*prompt, *answer] for prompt, answer in zip(self.prompts, self.answers, strict=True)]
        spans = [slice(len(prompt) - 1, len(row) - 1) for prompt, row in zip(self.prompts, rows, strict=True)]
        # A view would keep the logits of the whole batch in memory.
        logits = [row[span].clone() for row, span in zip(forward_logits(model, rows, self.pad), spans, strict=True)]
        return torch.cat(logits).float().log_softmax(-1)


def _rest(log_probs: Any) -> Any:
    """Return the log-probability of all tokens that are not among those given."""
    import torch

    return torch.log1p(-log_probs.exp().sum(-1).clamp(max=1 - 1e-6))
