"""What a model in training is asked: its greedy answers, and how far it has moved from what it said before.

How likely a model is to begin on what the pairs teach and go wrong: half a name, before it is ever sampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .taught_tokens import TaughtTokens

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


def scores(model: Any, rows: Sequence[Sequence[int]], pad: int) -> Iterator[Any]:
    """The logits of each row, (its tokens or more, vocabulary), from as few forward passes as memory should hold."""
    width = max(map(len, rows), default=1)
    fit = max(1, _SCORES // (width * model.config.get_text_config().vocab_size))
    for start in range(0, len(rows), fit):
        ids, mask = tensors(rows[start : start + fit], pad, model.device, left=False)
        yield from model(input_ids=ids, attention_mask=mask, use_cache=False).logits


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


@dataclass
class PartialNameProbe:
    """Chosen completions behind their prompts, as token ids, and the lesson that stands in them."""

    prompts: Sequence[Sequence[int]]
    chosen: Sequence[Sequence[int]]
    lesson: TaughtTokens
    pad: int

    def measure(self, model: Any) -> float:
        """The probability, on average over the completions, that the first word of the lesson is said where it stands,
        and followed by what follows it in no chosen completion; 0 without a lesson. Call within `asking`.

        Forward passes alone, and sharper than as many sampled answers, which either slip or don't.
        """
        rows = [
            (prompt, chosen, *steps[0])
            for prompt, chosen in zip(self.prompts, self.chosen, strict=True)
            if (steps := list(self.lesson.steps(chosen)))
        ]
        if not rows:
            return 0.0
        read = scores(model, [[*prompt, *chosen] for prompt, chosen, *_ in rows], self.pad)
        found = []
        for logits, (prompt, chosen, place, after) in zip(read, rows, strict=True):
            said = logits[len(prompt) + place - 1 : len(prompt) + after].float().softmax(-1)
            taught, *blanks = (said[at, token] for at, token in enumerate(chosen[place:after]))
            right = said[-1, sorted(self.lesson.followers[chosen[place]])].sum()
            for blank in blanks:
                right = right * blank
            found.append(float(taught * (1 - right)))
        return sum(found) / len(found)
