"""Samplers whose engine batches by itself: requests go in, and each answer comes as soon as it has ended."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from itertools import islice
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from ..errors import InputError
from ..thoughts import answer_of_tokens
from ..types import Answer, Key, Prompt, Skip
from .decoding import GREEDY, Decoding
from .model_loading import POCKET, end_tokens
from .transformers import TransformersSampler


@dataclass(frozen=True)
class TokenRequest:
    """A prompt's tokens, at most how many new ones there may be, how they are drawn, and the tokens that end it."""

    ids: Sequence[int]
    new_tokens: int
    decoding: Decoding
    seed: int
    ends: Sequence[int]


Ended: TypeAlias = "tuple[Sequence[int], Literal['stop', 'length']] | Skip"
"""The new tokens of an answer, and why it ended."""


class BatchingEngine(Protocol):
    """A loaded model that takes requests at any time."""

    def add(self, key: Key, request: TokenRequest) -> None:
        """Take a request. Raises ValueError for one that it can never answer."""

    def step(self) -> Mapping[Key, Ended]:
        """Go on with all requests by one step, and return those that have ended in it."""

    def drop(self, keys: Collection[Key]) -> None:
        """Give up requests that have not ended."""


class ContinuousBatchingSampler(TransformersSampler):
    """Samples from a local model through an engine that batches by itself. The model is named as for transformers.

    Prompts are made to the same tokens, and each sample has the same seed, but another engine draws other samples from
    it. What floating-point sums make of that depends on what the engine batches together.
    """

    backend: ClassVar[str]
    module: ClassVar[str]
    """The library that is to be installed."""
    devices: ClassVar[tuple[str, ...]]
    """Those that `--device` may name."""
    at_once = 1024
    """Requests that the engine has, so that it always finds enough of them to batch."""

    def __init__(self, model: str = POCKET, decoding: Decoding = GREEDY, **options: Any) -> None:
        if find_spec(self.module) is None:
            what = f"--backend {self.backend} needs a package that is not installed"
            raise InputError(what, fix=f'pip install "pairforge[{self.backend}]"')
        super().__init__(model, decoding, **options)
        if self.local.device not in self.devices:
            what = f"--backend {self.backend} does not run on --device {self.local.device}"
            raise InputError(what, fix=f"use --device {' or '.join(self.devices)}")
        self._engines: list[BatchingEngine] = []  # at most one, which `with_decoding` shares

    def settings(self) -> dict[str, Any]:
        """Return the key of the store: that of the local model, with this backend."""
        return super().settings() | {"sampler": self.backend}

    def with_labels(self, labels: Sequence[str]) -> TransformersSampler:
        """Return a sampler of the model through transformers, which gives the probabilities of the labels."""
        plain = TransformersSampler(self.model, self.decoding)
        vars(plain).update(vars(self))
        return plain.with_labels(labels)

    def start(self) -> BatchingEngine:
        """Load the model. The errors are one line."""
        raise NotImplementedError

    @cached_property
    def _ends(self) -> Sequence[int]:
        local = self.local
        found = end_tokens(local.resolved.base, local.resolved.revision, local.config)
        return sorted({*found, local.chat.tokenizer.eos_token_id} - {None})

    def sample(
        self, prompts: Sequence[Prompt], n: int, done: Container[Key], first: int = 0
    ) -> Iterator[Mapping[Key, Answer | Skip]]:
        """Yield the answers that have come in one step of the engine, in any order."""
        keys = [(prompt.id, index) for prompt in prompts for index in range(first, n)]
        open_ = [key for key in keys if key not in done]
        named = {prompt.id: prompt for prompt in prompts}
        rows = {name: self._encode(named[name]) for name in dict.fromkeys(name for name, _ in open_)}
        if skips := {key: row for key in open_ if isinstance(row := rows[key[0]], Skip)}:
            yield skips
        asked = iter([(key, row) for key in open_ if not isinstance(row := rows[key[0]], Skip)])
        running: dict[Key, Sequence[int]] = {}
        engine: BatchingEngine | None = None
        try:
            while True:
                refused: dict[Key, Answer | Skip] = {}
                for key, ids in islice(asked, self.at_once - len(running)):
                    engine = engine or self._engine()
                    try:
                        engine.add(key, self._request(key, ids))
                        running[key] = ids
                    except ValueError as error:
                        refused[key] = Skip("too_long", str(error))
                if engine is None or not (running or refused):
                    return
                ended = engine.step() if running else {}
                if found := {key: self._answer(running.pop(key), one) for key, one in ended.items()} | refused:
                    yield found
        finally:
            if engine and running:
                engine.drop(running.keys())

    def _engine(self) -> BatchingEngine:
        if not self._engines:
            self._engines.append(self.start())
        return self._engines[0]

    def _request(self, key: Key, ids: Sequence[int]) -> TokenRequest:
        return TokenRequest(ids, self._max_new_tokens(ids), self.decoding, self.decoding.seed_of(key), self._ends)

    def _answer(self, ids: Sequence[int], ended: Ended) -> Answer | Skip:
        if isinstance(ended, Skip):
            return ended
        tokens, finish = ended
        tokens = tokens[:-1] if tokens and tokens[-1] in self._ends else tokens
        answer = answer_of_tokens(self.local.chat.tokenizer, ids, list(tokens), finish)
        if (end := self.decoding.stop_at(answer.text)) is not None:
            answer = replace(answer, text=answer.text[:end], finish="stop")
        return replace(answer, text=answer.text.strip())
