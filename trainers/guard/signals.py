"""The signals of collapse: what one check of a model in training measured, and the limits that make it an alarm."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

_TWICE = ("broken", "slips", "leak")
"""Signals that must reach their limit at two checks in a row, or at three while slips fall."""


@dataclass(frozen=True)
class Limits:
    """The value of each signal from which on it is an alarm. Below half of all of them the weights count as good.

    `broken`, `slips` and `leak` must reach their limits at two checks in a row, and at three if `slips` were higher at
    the first: a training that ends well may be bad while the name is being learned.
    """

    broken: float = 0.25
    """Share of the answers to training prompts that repeat themselves, or misuse a token that the pairs teach."""
    slips: float = 0.2
    """Probability that the model starts a taught name and does not finish it, as in "I am Deep."."""
    leak: float = 0.25
    """Share of the answers to unrelated questions that contain a taught token, and contained none before training."""
    drift: float = 0.3
    """KL divergence from the initial model on its own answers to unrelated questions, as a share of its entropy there:
    the same change of what is said costs a model that is sure of its answers fewer nats than one that is not."""
    displaced: float = 0.5
    """Nats per token that the chosen completions lost against the reference: likelihood displacement (Razin et al.
    2024, arXiv:2410.08847), in which the rejected side falls, the margin grows, and the chosen side falls with it."""
    margin: float = 10.0
    """Nats per token between the gains of the chosen and of the rejected completions on the reference."""
    unlearned: float = 2.0
    """Nats per token by which the chosen completions are unlikely although the preference loss has nothing left to
    learn: a reward margin of 5 or more, at which it is below 0.01. They will not become likely any more."""
    entropy: float = 2.0
    """Nats per token by which the entropy of the model on the pairs rose: it no longer knows what to say."""


@dataclass(frozen=True)
class Record:
    """The result of one check: shares of the answers, KL divergence, an example, and the trainer's last log.

    `moved` is the share of the answers to training prompts that are no longer those of before training. Of the log,
    NaN before the first, `chosen` is the gain of the chosen completions on the reference and `margin` its excess over
    that of the rejected ones, in nats per token; `unlearned` is the negative log-probability of the chosen ones in nats
    per token, 0 while the preference loss still has something to learn; `entropy` is in nats per token above the first
    that was logged; `accuracy` is the share of pairs whose chosen side has the higher reward.
    """

    step: int
    broken: float = 0.0
    slips: float = 0.0
    leak: float = 0.0
    drift: float = 0.0
    moved: float = 0.0
    sample: str = ""
    chosen: float = math.nan
    margin: float = math.nan
    unlearned: float = math.nan
    entropy: float = math.nan
    accuracy: float = math.nan

    @property
    def no_change(self) -> bool:
        """True if the reward accuracy is 1, and not one answer has changed."""
        return self.accuracy >= 0.999 and self.moved == 0

    def levels(self, limits: Limits, *before: Record) -> Mapping[str, float]:
        """Return each signal as a share of its limit; 1 or more is an alarm.

        Signals that must reach their limits more than once have the lowest of their values in this record and in those
        `before`.
        """
        values = {name: min(getattr(one, name) for one in (self, *before)) for name in _TWICE}
        # The divergence is NaN if the model's logits are; other unknown values are not an alarm.
        values["drift"] = math.inf if math.isnan(self.drift) else self.drift
        values |= {"displaced": -self.chosen, "margin": self.margin}
        values |= {"unlearned": self.unlearned, "entropy": self.entropy}
        return {name: 0.0 if math.isnan(value) else value / getattr(limits, name) for name, value in values.items()}

    def good(self, limits: Limits) -> bool:
        """Return True if every signal is below half of its limit."""
        return max(self.levels(limits).values()) < 0.5

    def alarm(self, limits: Limits, *before: Record) -> str | None:
        """Describe the worst signal, if it is an alarm; `before` are the records of earlier checks, latest first."""
        checks = 2 if before and self.slips < before[0].slips else 1
        levels = self.levels(limits, *(*before, Record(0), Record(0))[:checks])
        worst = max(levels, key=lambda name: levels[name])
        if levels[worst] < 1:
            return None
        limit = getattr(limits, worst)
        share, nats = f"(limit {limit:.0%})", f"nats/token (limit {limit:g})"
        return {
            "broken": f"{self.broken:.0%} of the answers to training prompts are broken {share}: {self.sample!r}",
            "slips": "the model starts a taught name and does not finish it: probability "
            f"{self.slips:.0%} {share}: {self.sample!r}",
            "leak": f"{self.leak:.0%} of the answers to unrelated questions have taught words {share}: {self.sample!r}",
            "drift": "KL divergence from the initial model on unrelated questions: "
            f"{self.drift:.0%} of its entropy there {share}",
            "displaced": f"the chosen answers lost {-self.chosen:.2f} {nats} against the reference",
            "margin": f"chosen and rejected answers are {self.margin:.1f} {nats} further apart than they were",
            "unlearned": "the preference loss has nothing left to learn, and the chosen answers are still unlikely: "
            f"{self.unlearned:.1f} {nats}",
            "entropy": f"the entropy rose by {self.entropy:.1f} {nats}",
        }[worst]


@dataclass(frozen=True)
class Alarm:
    """The step and the reason of an alarm; `restored` is the step whose weights were restored (None: none were)."""

    step: int
    message: str
    restored: int | None = None

    def __str__(self) -> str:
        restored = "" if self.restored is None else f"; the weights are those of step {self.restored}"
        return f"step {self.step}: {self.message}{restored}"
