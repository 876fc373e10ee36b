"""How answers are drawn from a model's next-token distribution: the same few numbers for every sampler.

A sampler drawn from otherwise: the same loaded model, or server, with another decoding.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..errors import InputError
from ..types import Answer, Key, Prompt, Sampler, Skip, digest


@dataclass(frozen=True)
class Decoding:
    """Greedy at temperature 0; else drawn, from a seed per (seed, prompt, index).

    `max_new_tokens` cuts an answer, `stop` strings end it and are no part of it. The distribution at `temperature` is
    cut to the `top_k` likeliest tokens (0: all), the smallest set of at least `top_p` probability (1: all; Holtzman et
    al. 2020) and tokens of at least `min_p` of the likeliest one's probability (0: all; Nguyen et al. 2024).

    Raises InputError for a number out of its range.
    """

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        ranges = {
            "max-new-tokens": (self.max_new_tokens >= 1, "at least 1"),
            "temperature": (0 <= self.temperature < math.inf, "a number of at least 0"),
            "top-p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top-k": (self.top_k >= 0, "at least 0"),
            "min-p": (0 <= self.min_p <= 1, "between 0 and 1"),
            "stop": (all(self.stop), "a text"),
        }
        for option, (fits, range_) in ranges.items():
            if not fits:
                value = getattr(self, option.replace("-", "_"))
                raise InputError(f"--{option} {value} must be {range_}", fix="see --help")

    def settings(self) -> dict[str, Any]:
        """What an answer depends on: what is not the default. Greedy answers hang on no seed and no cut."""
        plain: dict[str, Any] = {"max_new_tokens": self.max_new_tokens, "temperature": float(self.temperature)}
        plain |= {"stop": list(self.stop)} if self.stop else {}
        if not self.temperature:
            return plain
        cut = {f.name: getattr(self, f.name) for f in fields(self) if f.name in ("top_p", "top_k", "min_p")}
        defaults = asdict(Decoding())
        return {**plain, "seed": self.seed, **{name: cut[name] for name in cut if cut[name] != defaults[name]}}

    def stop_at(self, text: str) -> int | None:
        """Where in a text the answer ends: where the first stop string begins."""
        return min((at for stop in self.stop if (at := text.find(stop)) >= 0), default=None)

    def seed_of(self, key: Key) -> int:
        """The seed of one sample, below 2**60: it depends on the prompt and the index alone."""
        return int(digest([self.seed, *key], 15), 16)


GREEDY = Decoding()

_TIMES = 4
_SPAN = 24


def repeats(tokens: Sequence[object]) -> bool:
    """Whether the tokens (or words) end in a loop: the same few at least four times over, two dozen long or longer."""
    for period in range(1, len(tokens) // _TIMES + 1):
        length = max(_TIMES * period, _SPAN)
        if len(tokens) >= length and tokens[-length + period :] == tokens[-length:-period]:
            return True
    return False


class WithDecoding:
    """Asks `sampler` with its decoding changed, e.g. `WithDecoding(sampler, temperature=1.0)`.

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
