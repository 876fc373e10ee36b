"""Probes of a model in training: its greedy answers, and the probability that it says only a part of a taught name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .taught_tokens import TaughtTokens

_LOGITS = 2**27
"""The most logits, tokens x vocabulary, of one forward pass: 512 MB in float32."""


@contextmanager
def eval_mode(model: Any) -> Iterator[None]:
    """Turn dropout and gradients off within the block; no random number is drawn, so that training is not affected."""
    import torch

    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


@dataclass
class Probe:
    """Prompts, as token ids, to answer greedily with at most `longest` tokens; a token of `ends` ends an answer."""

    prompts: Sequence[Sequence[int]]
    ends: Sequence[int]
    pad: int
    longest: int

    def answers(self, model: Any) -> list[list[int]]:
        """Return the greedy answers, each with the token that ended it, if one did. To be called in `eval_mode`."""
        if not self.prompts:
            return []
        from transformers import GenerationConfig

        config = GenerationConfig(
            do_sample=False,
            num_beams=1,
            repetition_penalty=1.0,  # the model's own settings would be used where ours are missing, and hide a loop
            no_repeat_ngram_size=0,
            max_new_tokens=self.longest,
            eos_token_id=list(self.ends),
            pad_token_id=self.pad,
            use_cache=True,  # training turns it off in the model's own settings
        )
        ids, mask = _padded(self.prompts, self.pad, model.device, left=True)
        generated = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        answers = generated[:, ids.shape[1] :].tolist()
        lengths = (next((at + 1 for at, token in enumerate(one) if token in self.ends), len(one)) for one in answers)
        return [answer[:length] for answer, length in zip(answers, lengths, strict=True)]


def forward_logits(model: Any, rows: Sequence[Sequence[int]], pad: int) -> Iterator[Any]:
    """Yield the logits of each row, of shape (its tokens or more, vocabulary), in batches that memory should hold."""
    width = max(map(len, rows), default=1)
    size = max(1, _LOGITS // (width * model.config.get_text_config().vocab_size))
    for start in range(0, len(rows), size):
        ids, mask = _padded(rows[start : start + size], pad, model.device, left=False)
        yield from model(input_ids=ids, attention_mask=mask, use_cache=False).logits


def _padded(rows: Sequence[Sequence[int]], pad: int, device: Any, left: bool) -> tuple[Any, Any]:
    """Return token ids and attention mask of rows of different lengths."""
    import torch

    width = max(map(len, rows))

    def fill(values: Sequence[int], gap: int) -> list[int]:
        gaps = [gap] * (width - len(values))
        return [*gaps, *values] if left else [*values, *gaps]

    ids = torch.tensor([fill(row, pad) for row in rows], device=device)
    return ids, torch.tensor([fill([1] * len(row), 0) for row in rows], device=device)


@dataclass
class PartialNameProbe:
    """Prompts and their chosen completions, as token ids, and the taught tokens in these."""

    prompts: Sequence[Sequence[int]]
    chosen: Sequence[Sequence[int]]
    taught: TaughtTokens
    pad: int

    def measure(self, model: Any) -> float:
        """Return the mean probability that the model says the first taught token of a completion at its place, and goes
        on as no chosen completion does; 0 without taught tokens. To be called in `eval_mode`.

        It takes forward passes alone, and is more precise than as many sampled answers.
        """
        rows = [
            (prompt, chosen, *occurrences[0])
            for prompt, chosen in zip(self.prompts, self.chosen, strict=True)
            if (occurrences := list(self.taught.occurrences(chosen)))
        ]
        if not rows:
            return 0.0
        all_logits = forward_logits(model, [[*prompt, *chosen] for prompt, chosen, *_ in rows], self.pad)
        found = []
        for logits, (prompt, chosen, place, after) in zip(all_logits, rows, strict=True):
            probabilities = logits[len(prompt) + place - 1 : len(prompt) + after].float().softmax(-1)
            first, *blanks = (probabilities[at, token] for at, token in enumerate(chosen[place:after]))
            completed = probabilities[-1, sorted(self.taught.followers[chosen[place]])].sum()
            for blank in blanks:
                completed = completed * blank
            found.append(float(first * (1 - completed)))
        return sum(found) / len(found)
