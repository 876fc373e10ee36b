"""Probes of a model in training: its greedy answers, and parts of taught names in them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..recipes import CORRECTIONS

_LOGITS = 2**27
"""The most logits, tokens x vocabulary, of one forward pass: 512 MB in float32."""
_COMMON = 0.05  # the share of pairs from which on a token counts as taught
_ELSEWHERE = 0.02  # how often, relative to that, it may be in rejected and not in chosen


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
    from trl.trainer.utils import pad as pad_tensors

    tensors, side = [torch.tensor(row, dtype=torch.long) for row in rows], "left" if left else "right"
    ids, mask = pad_tensors(tensors, pad, side), pad_tensors([torch.ones_like(row) for row in tensors], 0, side)
    return ids.to(device), mask.to(device)


@dataclass
class TaughtTokens:
    """The tokens of letters that are typical of the chosen side of corrections, with the tokens that follow them there.

    `followers` maps each such token to those that follow it in any chosen completion; `blanks`, tokens of nothing but
    space, are skipped. Pairs whose sides are different texts teach no tokens, or hardly any.
    """

    followers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    blanks: frozenset[int] = frozenset()

    @classmethod
    def of(cls, pairs: Sequence[Mapping[str, Any]], text: Callable[[int], str]) -> TaughtTokens:
        """Find the taught tokens of tokenized pairs; `text` decodes a token.

        Where the pairs have a `method`, corrections teach, if there are any, and no chosen side of another kind has
        what they teach: a counter-pair rejects it.
        """
        corrections = [pair for pair in pairs if pair.get("method") in CORRECTIONS] or pairs
        others = [] if corrections is pairs else [pair for pair in pairs if pair.get("method") not in CORRECTIONS]
        sides = [(set(pair["chosen_ids"]), set(pair["rejected_ids"])) for pair in corrections]
        gained = Counter(token for chosen, rejected in sides for token in chosen - rejected)
        lost = Counter(token for chosen, rejected in sides for token in rejected - chosen)
        lost += Counter(token for pair in others for token in {*pair["chosen_ids"]})
        tokens = {
            token
            for token, count in gained.items()
            if count >= _COMMON * len(sides)
            and lost[token] <= _ELSEWHERE * count
            and any(mark.isalpha() for mark in text(token))
        }
        seen = {token for pair in pairs for token in pair["chosen_ids"]}
        found = cls(dict.fromkeys(tokens, frozenset()), frozenset(t for t in seen if not text(t).strip()))
        followers = defaultdict[int, set[int]](set)
        for chosen in (pair["chosen_ids"] for pair in pairs):
            for place, after in found.occurrences(chosen):
                followers[chosen[place]].add(chosen[after])
        found.followers = {token: frozenset(followers[token]) for token in tokens}
        return found

    def occurrences(self, answer: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the index of each taught token that is followed by another, and the index of that."""
        for place, token in enumerate(answer):
            if token in self.followers:
                behind = range(place + 1, len(answer))
                if (after := next((at for at in behind if answer[at] not in self.blanks), None)) is not None:
                    yield place, after

    def misused(self, answer: Sequence[int], before: Sequence[int] = ()) -> bool:
        """Return True if a taught token is followed by one that follows it in no chosen completion: "I am Deep."

        `answer` ends with the token that ended it, if it was ended. What the answer `before` training did with a token
        is no misuse of it.
        """
        known = {(before[place], before[after]) for place, after in self.occurrences(before)}
        used = {(answer[place], answer[after]) for place, after in self.occurrences(answer)}
        return any(after not in self.followers[token] for token, after in used - known)

    def leaks(self, answer: Sequence[int], before: Sequence[int]) -> bool:
        """Return True if the answer has a taught token that the answer `before` training didn't have."""
        return not self.followers.keys().isdisjoint(set(answer) - set(before))


def partial_name_probability(model: Any, pairs: Sequence[Mapping[str, Any]], taught: TaughtTokens, pad: int) -> float:
    """Return the mean probability that the model says the first taught token of a chosen completion at its place, and
    goes on as no chosen completion does; 0 without taught tokens. To be called in `eval_mode`.

    It takes forward passes alone, and is more precise than as many sampled answers.
    """
    known = [(pair, place) for pair in pairs if (place := next(taught.occurrences(pair["chosen_ids"]), None))]
    all_logits = forward_logits(model, [[*pair["prompt_ids"], *pair["chosen_ids"]] for pair, _ in known], pad)
    found = []
    for logits, (pair, (index, after)) in zip(all_logits, known, strict=True):
        start, chosen = len(pair["prompt_ids"]), pair["chosen_ids"]
        probabilities = logits[start + index - 1 : start + after].float().softmax(-1)
        first, *blanks = (probabilities[at, token] for at, token in enumerate(chosen[index:after]))
        completed = probabilities[-1, sorted(taught.followers[chosen[index]])].sum()
        found.append(float(first * (1 - math.prod(blanks, start=completed))))
    return sum(found) / max(len(found), 1)
