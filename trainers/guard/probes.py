"""What a model in training is asked: its greedy answers, and how far it has moved from what it said before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_TOP = 32
"""Tokens of a distribution that are kept; the rest of the vocabulary counts as one more."""
_SCORES = 2**27
"""Scores, tokens x vocabulary, that one forward pass may leave: 512 MB in float32."""


@contextmanager
def asking(model: Any) -> Iterator[None]:
    """No dropout, no gradient, and afterwards the model trains on as if nothing had been: no random number is drawn."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


@dataclass
class Probe:
    """Prompts as token ids, and how they are answered: greedily, at most `longest` tokens, ended by one of `ends`."""

    prompts: Sequence[Sequence[int]]
    ends: Sequence[int]
    pad: int
    longest: int

    def answers(self, model: Any) -> list[list[int]]:
        """The greedy answer to each prompt, with the token that ended it if one did. Call within `asking`."""
        if not self.prompts:
            return []
        from transformers import GenerationConfig

        how = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # what is left unsaid comes from the model's own settings, and would hide a loop
            no_repeat_ngram_size=0,
            max_new_tokens=self.longest,
            eos_token_id=list(self.ends),
            pad_token_id=self.pad,
            use_cache=True,  # training turns it off in the model's own settings
        )
        ids, mask = tensors(self.prompts, self.pad, model.device, left=True)
        made = model.generate(input_ids=ids, attention_mask=mask, generation_config=how)
        return [self._until_end(row) for row in made[:, ids.shape[1] :].tolist()]

    def _until_end(self, answer: list[int]) -> list[int]:
        return next((answer[: place + 1] for place, token in enumerate(answer) if token in self.ends), answer)


@dataclass
class Distance:
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


def scores(model: Any, rows: Sequence[Sequence[int]], pad: int) -> Iterator[Any]:
    """The logits of each row, (its tokens or more, vocabulary), from as few forward passes as memory should hold."""
    width = max(map(len, rows), default=1)
    fit = max(1, _SCORES // (width * model.config.get_text_config().vocab_size))
    for start in range(0, len(rows), fit):
        ids, mask = tensors(rows[start : start + fit], pad, model.device, left=False)
        yield from model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def _rest(log_probs: Any) -> Any:
    """The log-probability of everything that is not among those given."""
    import torch

    return torch.log1p(-log_probs.exp().sum(-1).clamp(max=1 - 1e-6))


def tensors(rows: Sequence[Sequence[int]], pad: int, device: Any, left: bool) -> tuple[Any, Any]:
    """Ids and attention mask of rows of unlike length."""
    import torch

    width = max(map(len, rows))
    gaps = [[pad] * (width - len(row)) for row in rows]
    ids = [[*gap, *row] if left else [*row, *gap] for row, gap in zip(rows, gaps, strict=True)]
    masks = [
        [0] * len(gap) + [1] * len(row) if left else [1] * len(row) + [0] * len(gap)
        for row, gap in zip(rows, gaps, strict=True)
    ]
    return torch.tensor(ids, device=device), torch.tensor(masks, device=device)
