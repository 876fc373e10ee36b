"""The figures of a verdict: every metric, its value before, and the thresholds that were applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..statistics import Change, Share, Wins
from .failing_answers import FailingAnswer
from .metrics import CHANGES, base_name
from .thresholds import MINIMUM, ThresholdCheck

_NOT_ENOUGH = ("repetition", "unanswered", *CHANGES)


@dataclass(frozen=True)
class Figures:
    """The metrics of a model, those of its base, and the thresholds that apply.

    `shares`, `before` and `changes` map the names of metrics to their values (`before` is None without a base),
    `checks` maps those that have a threshold, `asked` maps each set of questions to (asked, in all), `about` holds the
    settings of the evaluation, `failing` the answers that count against a threshold, and `failures` is the path of the
    file that has them all, if one was written. `noise` has the changes that chance alone makes, where they are known.
    """

    shares: Mapping[str, Share | Wins]
    before: Mapping[str, Share] | None
    checks: Mapping[str, ThresholdCheck]
    asked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)
    failing: Sequence[FailingAnswer] = ()
    failures: str | None = None
    noise: Mapping[str, Change] = field(default_factory=dict)

    @cached_property
    def failed(self) -> list[str]:
        """The metrics whose threshold doesn't hold."""
        return [name for name, check in self.checks.items() if check.ok is False]

    @property
    def outcome(self) -> Literal["PASS", "FAIL"] | None:
        """FAIL if a threshold does not hold, PASS if all hold that could be judged; None if nothing was judged.

        That a model answers, without repeating itself, as its base does, is not enough for a PASS.
        """
        passed = [name for name, check in self.checks.items() if check.ok and base_name(name) not in _NOT_ENOUGH]
        return "FAIL" if self.failed else "PASS" if passed else None

    @property
    def ok(self) -> bool:
        """True unless a threshold doesn't hold."""
        return not self.failed

    def moved(self, metric: str) -> bool:
        """Return True if a metric has surely changed, and by more than chance alone changes it."""
        change, noise = self.changes.get(metric), self.noise.get(metric)
        if not change or change.interval[0] <= 0 <= change.interval[1]:
            return False
        return abs(change.value) > (abs(noise.value) if noise else 0.0)

    @property
    def compares(self) -> bool:
        """True if there are names to look for, or a base to compare with."""
        return bool(self.about.get("rules") or self.before is not None)

    @property
    def no_verdict(self) -> str:
        """Why there is neither PASS nor FAIL, and what to do; empty if there is one, or if no threshold was wanted."""
        if self.outcome is None and self.checks:
            return f"too few questions of each kind were answered: ask at least {MINIMUM}"
        if self.outcome is None and not self.compares:
            return "nothing to compare: give --base, or --from and --to"
        return ""
