"""A sampler drawn from otherwise: the same loaded model, or server, with another decoding."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..types import Answer, Key, Prompt, Sampler, Skip
from .decoding import Decoding


class Drawn:
    """Asks `sampler` with its decoding changed, e.g. `Drawn(sampler, temperature=1.0)`.

    The sampler is lent while it is asked: what it has loaded is loaded once. Raises InputError for one that draws
    nothing, such as a file of answers.
    """

    def __init__(self, sampler: Sampler, **changes: Any) -> None:
        decoding = getattr(sampler, "decoding", None)
        if not isinstance(decoding, Decoding):
            raise InputError(f"{sampler.model} holds answers and gives no others", fix="leave --replay out")
        self.sampler = sampler
        self.decoding = replace(decoding, **changes)
        self.model = sampler.model
        self.warnings = sampler.warnings

    def settings(self) -> dict[str, Any]:
        """Those of the sampler with this decoding: its own run with it has the same answers."""
        with self._lent():
            return self.sampler.settings()

    def sample(self, prompts: Sequence[Prompt], n: int, done: Container[Key]) -> Iterator[Mapping[Key, Answer | Skip]]:
        """As the sampler does."""
        with self._lent():
            yield from self.sampler.sample(prompts, n, done)

    @contextmanager
    def _lent(self) -> Iterator[None]:
        lent: Any = self.sampler
        usual = lent.decoding
        lent.decoding = self.decoding
        try:
            yield
        finally:
            lent.decoding = usual
