"""The rows of a batch: what each has generated, how its next token is drawn, and what ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import torch

from ..thoughts import split_tokens
from ..types import Key
from .decoding import Decoding

_SORTED = 1024  # tokens of which the ones of top-p are looked for first: to sort a whole vocabulary takes long
_MARGIN = 8  # tokens, beyond a stop string's length, that are searched for it: some tokens have no text


@dataclass(eq=False)
class Row:
    """One answer: its prompt's tokens, at most how many it may have, and what was generated, without the end token.

    `known` is the number of tokens of an answer that is not asked for, as it is stored. `finish` is "nan" where the
    logits were not finite, "oom" where memory did not suffice, as `detail` says; with labels, `detail` is the answer.
    """

    key: Key
    prompt: Sequence[int]
    most: int
    known: int | None = None
    tokens: list[int] = field(default_factory=list)
    finish: Literal["stop", "length", "nan", "oom"] | None = None
    detail: str = ""
    steps: int = 0

    @property
    def length(self) -> int:
        """The most tokens of prompt and answer."""
        return len(self.prompt) + self.most

    @property
    def over(self) -> bool:
        """Whether its place is free. That follows from the number of its tokens: one more step says that it ends."""
        tokens = len(self.tokens) if self.known is None else self.known
        return self.finish == "nan" or self.steps >= min(tokens + 1, self.most)


class SeededSampling:
    """Draws the next token of each row by `decoding`, each row from a generator of its own.

    The generator gives one number u in [0, 1) for a token: drawn is the first one at which the sum of the
    probabilities, in the order of the vocabulary, exceeds u (inverse transform sampling). The sums are in float32.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int | None] = ()) -> None:
        self.decoding = decoding
        self._generators = [None if seed is None else Random(seed) for seed in seeds]

    def draw(self, logits: torch.Tensor) -> tuple[torch.Tensor, list[bool]]:
        """Return a token for each row of logits (rows, vocabulary), and whether it had NaN, +inf or nothing finite."""
        highest, tokens = logits.max(-1, keepdim=True)  # NaN where there is one
        finite = highest.isfinite()
        if self.decoding.temperature:
            # Relative to the highest, and not divided by a zero, so that no temperature is too low for a float.
            temperature = max(self.decoding.temperature, torch.finfo(torch.float32).tiny)
            sums = self._cut((logits.float() - highest).div_(temperature)).exp_().cumsum(-1)
            drawn = [[generator.random() if generator else 0.0] for generator in self._generators]
            drawn_at = torch.tensor(drawn, dtype=sums.dtype, device=sums.device) * sums[:, -1:]
            below = sums[:, -1:].nextafter(torch.zeros_like(drawn_at))  # a product may be rounded up to the whole sum
            tokens = torch.where(finite, torch.searchsorted(sums, drawn_at.minimum(below), right=True), tokens)
        return tokens[:, 0], (~finite).flatten().tolist()

    def _cut(self, scores: torch.Tensor) -> torch.Tensor:
        """Take away what is not drawn from, in the order in which transformers does."""
        decoding = self.decoding
        if 0 < decoding.top_k < scores.shape[-1]:
            scores = scores.masked_fill(scores < scores.topk(decoding.top_k).values[:, -1:], -torch.inf)
        if decoding.top_p < 1:
            scores = self._nucleus(scores, _SORTED)
        if decoding.min_p:
            scores = scores.masked_fill(scores < math.log(decoding.min_p), -torch.inf)
        return scores

    def _nucleus(self, scores: torch.Tensor, count: int) -> torch.Tensor:
        """Keep the fewest tokens whose probabilities add up to top_p, of rows where so many do; of others sort all."""
        best, places = scores.topk(min(count, scores.shape[-1]))
        shares = (best - scores.logsumexp(-1, keepdim=True)).exp()
        before = shares.cumsum(-1) - shares
        best = best.masked_fill(before >= self.decoding.top_p, -torch.inf)
        kept = torch.full_like(scores, -torch.inf).scatter_(-1, places, best)
        wide = before[:, -1] < self.decoding.top_p
        if count < scores.shape[-1] and wide.any():
            kept[wide] = self._nucleus(scores[wide], scores.shape[-1])
        return kept

    def put(self, row: int, seed: int | None) -> None:
        """Give a row another seed, or none."""
        self._generators[row] = None if seed is None else Random(seed)

    def keep(self, rows: Sequence[int], count: int) -> None:
        """Keep only these rows, and add others without a seed up to a number of rows."""
        self._generators = [*(self._generators[row] for row in rows), *[None] * (count - len(rows))]


Labels = Callable[[torch.Tensor], list[str]]


@dataclass
class Ending:
    """What ends a row, and takes its tokens."""

    ends: Sequence[int]
    decoding: Decoding
    tokenizer: Any
    labels: Labels | None = None

    def __post_init__(self) -> None:
        self.window = max((len(stop.encode()) for stop in self.decoding.stop), default=0) + _MARGIN

    def add(self, rows: Sequence[Row | None], logits: torch.Tensor, sampling: SeededSampling) -> torch.Tensor:
        """Draw a token for each row, add it to those that have not ended, and return all."""
        labelled = self.labels(logits) if self.labels else None
        tokens, bad = sampling.draw(logits)
        drawn = tokens.tolist()
        for i, row in enumerate(rows):
            if row is None or row.finish or row.known is not None:
                continue
            if labelled:
                row.detail, row.finish, row.tokens = labelled[i], "stop", [drawn[i]]
            elif bad[i]:
                row.finish = "nan"
            elif drawn[i] in self.ends:
                row.finish = "stop"
            else:
                row.tokens.append(drawn[i])
                # First only the end, as the whole is long; then the whole, as a part may be decoded differently.
                if self._has_stop(row.tokens[-self.window :]) and self._has_stop(row.tokens[self._start(row) :]):
                    row.finish = "stop"
                elif len(row.tokens) == row.most:
                    row.finish = "length"
        return tokens

    def _has_stop(self, tokens: Sequence[int]) -> bool:
        stops = self.decoding.stop
        return (
            bool(stops) and self.decoding.stop_at(self.tokenizer.decode(tokens, skip_special_tokens=True)) is not None
        )

    def _start(self, row: Row) -> int:
        """Return how many of the tokens are before the answer: a stop string in a thought ends nothing."""
        return split_tokens(self.tokenizer, row.prompt, row.tokens)[1]
