"""Shares, changes and win rates, each with its 95 % interval."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

_Z = 1.959963984540054  # of the normal distribution, 95 % lie within
_HALVINGS = 60


def sample_indices(count: int, limit: int | None, seed: int) -> list[int]:
    """Return the indices of a random sample of at most `limit` of `count` items, in order."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(random.Random(seed).sample(range(count), limit))


@dataclass(frozen=True)
class Share:
    """How often something happened: `hits` out of `of` answered questions (`of` > 0)."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself, 0 to 1."""
        return self.hits / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval at 95 % (E. B. Wilson 1927, JASA 22:209-212), sane at 0 %, 100 % and small n."""
        z, n, p = _Z, self.of, self.value
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def as_json(self) -> dict[str, Any]:
        """`{"share", "low", "high", "hits", "of"}`, shares rounded to four places."""
        low, high = self.interval
        return _rounded(share=self.value, low=low, high=high) | {"hits": self.hits, "of": self.of}

    def __str__(self) -> str:
        return percent(self.value, self.interval)


@dataclass(frozen=True)
class Change:
    """What became of a share among `of` questions (> 0) that were answered before and after: `gained` had it happen
    only after, `lost` only before.
    """

    gained: int
    lost: int
    of: int

    @property
    def value(self) -> float:
        """The share after minus the share before, -1 to 1."""
        return (self.gained - self.lost) / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """The score interval for the difference of two paired shares, at 95 % (T. Tango 1998, Statistics in Medicine
        17:891-908). Like the difference itself it hangs on the questions alone in which the two differ, and on `of`.
        """
        low = -1.0 if self.lost == self.of else _falls_to(_Z, self._score, -1.0, self.value)
        high = 1.0 if self.gained == self.of else _falls_to(-_Z, self._score, self.value, 1.0)
        return low, high

    def _score(self, change: float) -> float:
        """How many standard errors the observed change lies above this one, were it the true one."""
        n, gained, lost = self.of, self.gained, self.lost
        # The likeliest share of losses, were it the true one, solves a q^2 + b q + c = 0.
        a, b, c = 2 * n, (2 * n - gained + lost) * change - gained - lost, -lost * change * (1 - change)
        losses = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * losses + change * (1 - change))
        apart = gained - lost - n * change
        return apart / sqrt(variance) if variance > 0 else apart * float("inf") if apart else 0.0

    def as_json(self) -> dict[str, Any]:
        """`{"value", "low", "high", "of"}`, rounded to four places."""
        low, high = self.interval
        return _rounded(value=self.value, low=low, high=high) | {"of": self.of}

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


@dataclass(frozen=True)
class Wins:
    """How often an answer was judged better than the base's to the same question: `won` and `lost` of `of` (> 0)."""

    won: int
    lost: int
    of: int

    @property
    def value(self) -> float:
        """The win rate, 0 to 1, ties half."""
        return (1 + self._change.value) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """At 95 %: the rate is half of one plus the difference of two paired shares, won and lost; see `Change`."""
        low, high = self._change.interval
        return (1 + low) / 2, (1 + high) / 2

    @property
    def _change(self) -> Change:
        return Change(self.won, self.lost, self.of)

    def as_json(self) -> dict[str, Any]:
        """`{"share", "low", "high", "hits", "of", "won", "lost"}`; a tie is half a hit."""
        low, high = self.interval
        counts = {"hits": self.value * self.of, "of": self.of, "won": self.won, "lost": self.lost}
        return _rounded(share=self.value, low=low, high=high) | counts

    def __str__(self) -> str:
        return f"{percent(self.value, self.interval)}, {self.won} won, {self.lost} lost"


def percent(value: float, interval: tuple[float, float]) -> str:
    """` 97.0% [91.5, 99.0]`"""
    low, high = interval
    return f"{value:6.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def _falls_to(level: float, falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function passes a level, between low and high."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return (low + high) / 2


def _rounded(**numbers: float) -> dict[str, Any]:
    return {name: round(number, 4) for name, number in numbers.items()}
