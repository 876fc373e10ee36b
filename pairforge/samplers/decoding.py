"""Decoding parameters: how answers are drawn from a model's next-token distribution, for every sampler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..types import Key, digest


@dataclass(frozen=True)
class Decoding:
    """Decoding parameters: greedy at temperature 0, else sampling from a seed per (seed, prompt, index).

    Raises InputError for a number out of its range.

    Args:
        max_new_tokens: the length at which an answer is cut.
        temperature: divides the logits; 0 is greedy decoding.
        top_p: keep the smallest set of tokens of at least this probability (1: all; Holtzman et al. 2020).
        top_k: keep this many of the likeliest tokens (0: all).
        min_p: keep tokens of at least this share of the likeliest one's probability (0: all; Nguyen et al. 2024).
        stop: strings that end an answer and are not part of it.
        seed: the seed from which the seed of each sample is made.
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
        """Return what an answer depends on, without defaults. Greedy answers depend on neither seed nor cuts."""
        settings: dict[str, Any] = {"max_new_tokens": self.max_new_tokens, "temperature": float(self.temperature)}
        if self.stop:
            settings["stop"] = list(self.stop)
        if self.temperature:
            settings["seed"] = self.seed
            cuts = ("top_p", "top_k", "min_p")
            settings |= {name: getattr(self, name) for name in cuts if getattr(self, name) != getattr(GREEDY, name)}
        return settings

    def stop_at(self, text: str) -> int | None:
        """Return where in a text the answer ends, which is where the first stop string begins; None without one."""
        return min((at for stop in self.stop if (at := text.find(stop)) >= 0), default=None)

    def seed_of(self, key: Key) -> int:
        """Return the seed of one sample, below 2**60; beside `seed` it depends on the prompt and the index alone."""
        return int(digest([self.seed, *key], 15), 16)


GREEDY = Decoding()
