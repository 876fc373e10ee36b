"""Decoding parameters: how answers are drawn from a model's next-token distribution, for every sampler."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..options.sampling import DecodingOptions, TemperatureOption
from ..types import Key, digest


@dataclass
class Decoding(TemperatureOption, DecodingOptions):
    """Decoding parameters: greedy at temperature 0, else sampling from a seed per (seed, prompt, index).

    `temperature` divides the logits; `top_p` is nucleus sampling (Holtzman et al. 2020), `min_p` that of Nguyen et al.
    2024; `stop` strings are not part of the answer. Raises InputError for a number out of its range.
    """

    def __post_init__(self) -> None:
        self.stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        ranges = {
            "max-new-tokens": (self.max_new_tokens >= 1, "1 or more", 256),
            "temperature": (0 <= self.temperature < math.inf, "0 or more", 0.7),
            "top-p": (0 < self.top_p <= 1, "more than 0 and at most 1", 0.9),
            "top-k": (self.top_k >= 0, "0 or more", 50),
            "min-p": (0 <= self.min_p <= 1, "from 0 to 1", 0.05),
            "stop": (all(self.stop), "a text", "END"),
        }
        for option, (fits, range_, example) in ranges.items():
            if not fits:
                value = getattr(self, option.replace("-", "_"))
                raise InputError(f"--{option} {value} must be {range_}", fix=f"e.g. --{option} {example}")

    def settings(self) -> dict[str, Any]:
        """Return what an answer depends on, without defaults.

        Greedy answers depend neither on the seed nor on top-k, top-p and min-p.
        """
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
