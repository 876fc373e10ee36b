"""The rows of a batch: what each has generated, how its next token is drawn, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from ..thoughts import split_tokens
from ..types import Key
from .decoding import Decoding

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


class GumbelSampling:
    """Draws the next token of each row by `decoding`, each row from a generator of its own.

    argmax(logits / T + G), where G = -log(E) with E from Exp(1) is standard Gumbel, is a draw from softmax(logits / T)
    (Maddison, Tarlow and Minka 2014, "A* Sampling", section 2). The streams are those of the logits' device: another
    kind of device draws other samples.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int | None] = ()) -> None:
        self.temperature = decoding.temperature
        self.seeds = list(seeds)
        self._generators: list[torch.Generator | None] = [None] * len(seeds)
        # In the order in which transformers applies them.
        self._warpers = [
            *([TopKLogitsWarper(decoding.top_k)] if decoding.top_k else []),
            *([TopPLogitsWarper(decoding.top_p)] if decoding.top_p < 1 else []),
            *([MinPLogitsWarper(decoding.min_p)] if decoding.min_p else []),
        ]

    def draw(self, logits: torch.Tensor) -> tuple[torch.Tensor, list[bool]]:
        """Return a token for each row of logits (rows, vocabulary), and whether it had NaN, +inf or nothing finite."""
        tokens = logits.argmax(-1, keepdim=True)
        highest = logits.gather(-1, tokens)  # NaN where there is one
        if self.temperature:
            # Relative to the highest, so that no temperature is too low for a float.
            scores = (logits.float() - highest).div_(self.temperature)
            for warper in self._warpers:
                scores = warper(None, scores)
            tokens = scores.sub_(self._noise(scores)).argmax(-1, keepdim=True)
        return tokens[:, 0], (~highest.isfinite()).flatten().tolist()

    def _noise(self, scores: torch.Tensor) -> torch.Tensor:
        exponential = torch.ones_like(scores)
        for i, seed in enumerate(self.seeds):
            if seed is not None:
                generator = self._generators[i] = self._generators[i] or torch.Generator(scores.device).manual_seed(
                    seed
                )
                exponential[i].exponential_(generator=generator)
        return exponential.log_()

    def put(self, row: int, seed: int | None) -> None:
        """Give a row another seed, or none."""
        self.seeds[row], self._generators[row] = seed, None

    def keep(self, rows: Sequence[int], count: int) -> None:
        """Keep only these rows, and add others without a seed up to a number of rows."""
        more = [None] * (count - len(rows))
        self.seeds = [*(self.seeds[row] for row in rows), *more]
        self._generators = [*(self._generators[row] for row in rows), *more]


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

    def add(self, rows: Sequence[Row | None], logits: torch.Tensor, sampling: GumbelSampling) -> torch.Tensor:
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
