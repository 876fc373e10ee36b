"""A sampler for tests that answers by a function and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from pairforge.samplers.decoding import Decoding
from pairforge.types import Answer, Key, Prompt, Sampler, Skip

Say = Callable[[Prompt, int, Decoding], "str | Answer | Skip"]


class Scripted(Sampler):
    """`say` gives the answer to a prompt, by the index and the decoding; a bare text is a whole answer."""

    def __init__(self, say: Say, model: str = "scripted", inserts: str | None = None) -> None:
        self.say = say
        self.model = model
        self.decoding = Decoding()
        self.warnings: list[str] = []
        self.asked: list[tuple[Prompt, Decoding]] = []
        self.inserts = inserts

    def inserted_system(self) -> str | None:
        return self.inserts

    def with_decoding(self, **changes: Any) -> Scripted:
        other = copy(self)
        other.decoding = replace(self.decoding, **changes)
        return other

    def settings(self) -> dict[str, Any]:
        return {"sampler": self.model, **self.decoding.settings()}

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        for prompt in prompts:
            keys = [(prompt.id, index) for index in range(n) if (prompt.id, index) not in done]
            self.asked += [(prompt, replace(self.decoding))] * len(keys)
            yield {key: self._answer(prompt, key[1]) for key in keys}

    def _answer(self, prompt: Prompt, index: int) -> Answer | Skip:
        said = self.say(prompt, index, self.decoding)
        return Answer(said, "stop", 1) if isinstance(said, str) else said
