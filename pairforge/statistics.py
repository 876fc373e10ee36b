"""Proportions, changes of proportions and win rates, each with its 95 % confidence interval."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

Z95 = 1.959963984540054
"""The standard normal distribution has 95 % between -Z95 and Z95."""
_HALVINGS = 60


def wilson(hits: float, of: float, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion of `hits` in `of` trials.

    It is sound at 0 %, at 100 % and for small n (E. B. Wilson 1927, JASA 22:209-212), and 0 to 1 without a trial.
    """
    if not of:
        return 0.0, 1.0
    p = hits / of
    center = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return max(0.0, center - half) if hits else 0.0, min(1.0, center + half) if hits < of else 1.0


def sample_indices(count: int, limit: int | None, seed: int) -> list[int]:
    """Return the indices of a random sample of at most `limit` of `count` items, in order."""
    if limit is None or limit >= count:
        return list(range(count))
    return sorted(random.Random(seed).sample(range(count), limit))


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % Wilson interval: `hits` of `of` trials, where a tie is half a hit."""

    hits: float
    of: int

    @property
    def value(self) -> float:
        """The share itself, 0 to 1; one half without a trial."""
        return self.hits / self.of if self.of else 0.5

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and the upper end; see `wilson`."""
        return wilson(self.hits, self.of)

    def as_json(self) -> dict[str, Any]:
        """Return `{"share", "low", "high", "hits", "of"}`, shares rounded to four places."""
        return _as_json("share", self, hits=self.hits, of=self.of)

    def __str__(self) -> str:
        return percent(self.value, self.interval)


@dataclass(frozen=True)
class Change:
    """The change of a proportion among `of` questions (> 0) that were answered before and after.

    `gained` questions count as a hit only after, `lost` only before.
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
        """The score interval for a difference of paired proportions (T. Tango 1998, Stat. in Medicine 17:891-908).

        Like the difference itself it depends only on the questions in which the two differ, and on `of`.
        """
        low = -1.0 if self.lost == self.of else _bisect(self._score, Z95, -1.0, self.value)
        high = 1.0 if self.gained == self.of else _bisect(self._score, -Z95, self.value, 1.0)
        return low, high

    def _score(self, change: float) -> float:
        """Return by how many standard errors the observed change exceeds `change`, if that were the true one."""
        n, gained, lost = self.of, self.gained, self.lost
        # The maximum likelihood estimate of the share of losses, given this change, solves a q^2 + b q + c = 0.
        a, b, c = 2 * n, (2 * n - gained + lost) * change - gained - lost, -lost * change * (1 - change)
        losses = (sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
        variance = n * (2 * losses + change * (1 - change))
        apart = gained - lost - n * change
        return apart / sqrt(variance) if variance > 0 else apart * float("inf") if apart else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return `{"value", "low", "high", "of"}`, rounded to four places."""
        return _as_json("value", self, of=self.of)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


@dataclass(frozen=True)
class Wins:
    """A win rate: an answer was judged better than the base's to the same question `won` times of `of` (> 0)."""

    won: int
    lost: int
    of: int

    @property
    def value(self) -> float:
        """The win rate, 0 to 1; a tie is half a win."""
        return (1 + (self.won - self.lost) / self.of) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval: the rate is half of one plus the difference of two paired proportions; see `Change`."""
        low, high = Change(self.won, self.lost, self.of).interval
        return (1 + low) / 2, (1 + high) / 2

    def as_json(self) -> dict[str, Any]:
        """Return `{"share", "low", "high", "hits", "of", "won", "lost"}`; a tie is half a hit."""
        return _as_json("share", self, hits=self.value * self.of, of=self.of, won=self.won, lost=self.lost)

    def __str__(self) -> str:
        return f"{percent(self.value, self.interval)}, {self.won} won, {self.lost} lost"


def percent(value: float, interval: tuple[float, float]) -> str:
    """Return a share with its interval as text, ` 97.0% [91.5, 99.0]`."""
    low, high = interval
    return f"{value:6.1%} [{100 * low:.1f}, {100 * high:.1f}]"


def _bisect(falling: Callable[[float], float], level: float, low: float, high: float) -> float:
    """Return where a falling function crosses a level, between `low` and `high`."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return (low + high) / 2


def _as_json(name: str, estimate: Share | Change | Wins, **counts: float) -> dict[str, Any]:
    """Return the value under this name with its interval, rounded to four places, and the counts as they are."""
    low, high = estimate.interval
    return {name: round(estimate.value, 4), "low": round(low, 4), "high": round(high, 4), **counts}
