"""The verdict: every figure, what it was before, and whether each threshold holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..types import visible
from .markdown import section
from .measures import Judged, Measured
from .statistics import Change, Share, Wins
from .thresholds import THRESHOLDS, Check, Threshold, checks

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass(frozen=True)
class Verdict:
    """Whether a model does what its training was for, and what else changed.

    `shares`, `before` and `changes` map metric names to figures (`before` is None without a base), `checks` maps the
    metrics that have a threshold, `asked` maps each set of questions to (asked, in all), `about` says what was
    evaluated.
    """

    shares: Mapping[str, Share | Wins]
    before: Mapping[str, Share] | None
    checks: Mapping[str, Check]
    asked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Every threshold that could be applied holds."""
        return all(check.ok for check in self.checks.values())

    def as_json(self) -> dict[str, Any]:
        """One JSON object: `{"command", "ok", "metrics", "thresholds", "before", "asked", ...}`.

        A metric that has a before has a `change`: `{"value", "low", "high", "of"}`.
        """
        changes = {name: {"change": change.as_json()} for name, change in self.changes.items()}
        return {
            "command": "evaluate",
            "ok": self.ok,
            **self.about,
            "metrics": {name: share.as_json() | changes.get(name, {}) for name, share in self.shares.items()},
            "thresholds": {name: check.as_json() for name, check in self.checks.items()},
            "before": self.before and {name: share.as_json() for name, share in self.before.items()},
            "asked": {name: {"asked": asked, "of": of} for name, (asked, of) in self.asked.items()},
        }

    def as_markdown(self) -> str:
        """A section `## Verdict` for a model card. What comes from outside stands in code spans."""
        return section(self)

    def __str__(self) -> str:
        outcome = [f"verdict: {'PASS' if self.ok else 'FAIL'}"] if self.checks else []
        return "\n".join([self._sample(), *map(self._line, self.shares), *outcome])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(str(self))

    def _sample(self) -> str:
        return "questions: " + ", ".join(f"{asked} of {of} {name}" for name, (asked, of) in self.asked.items())

    def _line(self, name: str) -> str:
        """`new_name   0.0% ->  97.0%  +97.0 [+91.3, +98.9]  PASS at least 95%`; without a before, its own interval."""
        share, past, change = self.shares[name], (self.before or {}).get(name), self.changes.get(name)
        was = "" if self.before is None else f"{past.value:6.1%} -> " if past else " " * 10
        now = f"{share.value:6.1%}  {change}" if change else str(share)
        label = visible("  " + name.split("/", 1)[1] if "/" in name else name).replace("\n", "\\n").replace("\t", "\\t")
        return f"  {label:30} {was}{now:30} {self.checks.get(name, '')}".rstrip()


def verdict(
    after: Judged,
    before: Judged | None = None,
    *,
    wins: Wins | None = None,
    thresholds: Sequence[Threshold] = THRESHOLDS,
    asked: Mapping[str, tuple[int, int]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judges answers of a model (`after`), against those of the model it was made from (`before`) if there is one."""
    measured = Measured(after, before, wins)
    applied = checks(thresholds, measured)
    return Verdict(measured.shares, measured.past, applied, asked or {}, about or {}, measured.changes)
