"""The verdict as a section of a model card. Whatever comes from outside stands in a code span that it can't leave.

The verdict: every figure, what it was before, and whether each threshold holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ..statistics import Change, Share, Wins
from ..text import escaped
from .metrics import METRICS, Judged, Measured
from .thresholds import THRESHOLDS, Threshold, ThresholdCheck, checks

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


_LONGEST = 200  # characters of a text from outside
_INTERVALS = (
    "In brackets 95 % intervals: Wilson's for a share; for a change, in points, Tango's for paired shares, question by "
    "question."
)
_DRAWN = " `@t1` marks answers drawn at temperature 1; all others are greedy."


def section(verdict: Verdict) -> str:
    """The section, from its heading on, with a line's end behind it."""
    failing = sum(not check.ok for check in verdict.checks.values())
    of = len(verdict.checks)
    said = f"**FAIL**: of {of} thresholds {failing} failed." if failing else f"**PASS**: all {of} thresholds hold."
    outcome = said if of else ""
    shown = dict.fromkeys(re.split("[/@]", name)[0] for name in verdict.shares)
    legend = [f"- `{name}`: {METRICS[name]}" for name in shown if name in METRICS]
    facts = [f"- {name}: {text}" for name, text in _facts(verdict)]
    notes = _INTERVALS + (_DRAWN if any("@" in name for name in verdict.shares) else "")
    parts = ["## Verdict", outcome, "\n".join(_table(verdict)), notes, "\n".join(facts), "\n".join(legend)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(verdict: Verdict) -> Iterator[str]:
    yield "| | before | now | change | |"
    yield "|---|--:|--:|--:|---|"
    for name, share in verdict.shares.items():
        past = (verdict.before or {}).get(name)
        cells = (code(name), str(past or ""), share, verdict.changes.get(name, ""), verdict.checks.get(name, ""))
        yield "| " + " | ".join(str(cell).strip() for cell in cells) + " |"


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    about = verdict.about
    for name in ("model", "base", "judge"):
        if about.get(name):
            yield name, code(_away(str(about[name])))
    if rules := about.get("rules"):
        yield "names", ", ".join(f"{code(old)} to {code(new)}" for old, new in rules.items())
    if contexts := about.get("contexts"):
        yield "contexts", ", ".join(map(code, contexts))
    if verdict.asked:
        asked = [f"{asked} of {of} {code(name)}" for name, (asked, of) in verdict.asked.items()]
        yield "held-out questions", ", ".join(asked)
    yield from _settings(about)


def _settings(about: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "seed" in about:
        yield "seed", code(about["seed"])
    if versions := about.get("versions"):
        yield "versions", ", ".join(f"{code(name)} {code(version)}" for name, version in versions.items())


def _away(name: str) -> str:
    """Of an absolute path the last part: the folders of a machine are nobody's business."""
    path = PurePath(name.replace("\\", "/"))
    return path.name if path.is_absolute() or re.match(r"~|[A-Za-z]:/", str(path)) else name


def code(value: Any) -> str:
    """A code span of one line, in a table too: in it nothing is a link, markup or the end of a cell."""
    text = escaped(str(value)) or " "
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " [...]"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("|", "¦")  # no escape holds in every reader
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text}{ticks}"


@dataclass(frozen=True)
class Verdict:
    """Whether a model does what its training was for, and what else changed.

    `shares`, `before` and `changes` map metric names to figures (`before` is None without a base), `checks` maps the
    metrics that have a threshold, `asked` maps each set of questions to (asked, in all), `about` says what was
    evaluated.
    """

    shares: Mapping[str, Share | Wins]
    before: Mapping[str, Share] | None
    checks: Mapping[str, ThresholdCheck]
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
        label = escaped("  " + name.split("/", 1)[1] if "/" in name else name)
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
