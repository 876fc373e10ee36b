"""The signs of collapse: what one check of a model in training saw, and from where on it is an alarm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

NAN = math.nan
_TWICE = ("broken", "slips", "leak")
"""Signs that take two checks on end."""


@dataclass(frozen=True)
class Limits:
    """From where on a figure is an alarm; below half of all of them the weights count as good.

    `broken`, `slips` and `leak` must be reached at two checks on end: a training that ends well may pass through a bad
    moment.
    """

    broken: float = 0.25
    """Share of the answers to training prompts that repeat themselves, or misuse a word that the pairs teach."""
    slips: float = 0.2
    """Probability that the model begins on what the pairs teach and goes wrong: that it says half a name."""
    leak: float = 0.25
    """Share of the answers to other questions that hold a word that the pairs teach, and held none before."""
    drift: float = 0.05
    """Kullback-Leibler divergence from the model at the start, nats a token of its answers to other questions then."""
    displaced: float = 0.5
    """Nats a token that the chosen completions lost against the reference: likelihood displacement (Razin et al. 2024,
    arXiv:2410.08847), in which the rejected side falls, the margin grows, and the chosen side falls with it."""
    margin: float = 10.0
    """Nats a token between what the chosen and what the rejected completions gained on the reference: a blow-up."""
    entropy: float = 2.0
    """Nats a token that the entropy of the model on the pairs rose by: it no longer knows what to say."""


@dataclass(frozen=True)
class Logged:
    """What the trainer last logged, NaN before: the gain of the chosen completions on the reference and its margin over
    that of the rejected, in nats a token, the entropy in nats a token above the first that was logged, and the share of
    pairs told apart."""

    chosen: float = NAN
    margin: float = NAN
    entropy: float = NAN
    accuracy: float = NAN


@dataclass(frozen=True)
class Record:
    """What one check saw: shares of the answers, the drift, an example, and what the trainer had logged last.

    `moved` is the share of the answers to training prompts that are no longer what they were before training.
    """

    step: int
    broken: float = 0.0
    slips: float = 0.0
    leak: float = 0.0
    drift: float = 0.0
    moved: float = 0.0
    sample: str = ""
    chosen: float = NAN
    margin: float = NAN
    entropy: float = NAN
    accuracy: float = NAN

    @property
    def hollow(self) -> bool:
        """All pairs are told apart, and not one answer has changed."""
        return self.accuracy >= 0.999 and self.moved == 0

    def levels(self, limits: Limits, before: Record | None = None) -> Mapping[str, float]:
        """Each figure as a share of its limit, 1 or more is an alarm; with a record before, the lower of two where
        an alarm takes two."""
        last = before or self
        figures = {
            **{name: min(getattr(self, name), getattr(last, name)) / getattr(limits, name) for name in _TWICE},
            "drift": self.drift / limits.drift,
            "displaced": -self.chosen / limits.displaced,
            "margin": self.margin / limits.margin,
            "entropy": self.entropy / limits.entropy,
        }
        # What isn't known yet is no sign; a model whose answers can't be computed has no drift that is a number.
        known = {name: 0.0 if math.isnan(figure) else figure for name, figure in figures.items()}
        return known | ({"drift": math.inf} if math.isnan(self.drift) else {})

    def good(self, limits: Limits) -> bool:
        """Nothing has come near its limit."""
        return max(self.levels(limits).values()) < 0.5

    def alarm(self, limits: Limits, before: Record | None) -> str | None:
        """The worst sign in words, if one is an alarm."""
        levels = self.levels(limits, before)
        worst = max(levels, key=lambda name: levels[name])
        return self._say(worst) if levels[worst] >= 1 else None

    def _say(self, sign: str) -> str:
        return {
            "broken": f"{self.broken:.0%} of the answers to training prompts are broken: {self.sample!r}",
            "slips": f"half of what the pairs teach is said with probability {self.slips:.0%}: {self.sample!r}",
            "leak": f"{self.leak:.0%} of the answers to other questions say what the pairs teach: {self.sample!r}",
            "drift": f"the answers to other questions are {self.drift:.3f} nats a token from those before training",
            "displaced": f"the chosen answers lost {-self.chosen:.2f} nats a token against the reference",
            "margin": f"chosen and rejected answers are {self.margin:.1f} nats a token further apart than they were",
            "entropy": f"the entropy rose by {self.entropy:.1f} nats a token",
        }[sign]


@dataclass(frozen=True)
class Alarm:
    """At which step the guard saw what, and of which step the weights are that it brought back (None: none)."""

    step: int
    message: str
    restored: int | None = None

    def __str__(self) -> str:
        back = "" if self.restored is None else f"; the weights are those of step {self.restored}"
        return f"step {self.step}: {self.message}{back}"
