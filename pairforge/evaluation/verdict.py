"""The verdict on a model: every metric, its value before, and whether each threshold holds; as text, JSON or Markdown.

In Markdown, a section of a model card, texts from outside are put into code spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ..markdown import code_span, public_name
from ..statistics import Change, Share, Wins
from ..text import escaped
from .metrics import METRICS, Judged, Measured
from .thresholds import THRESHOLDS, Threshold, ThresholdCheck, checks

if TYPE_CHECKING:
    from rich.text import Text

_INTERVALS = (
    "In brackets 95 % intervals: Wilson's for a share; for a change, in points, Tango's for paired shares, question by "
    "question."
)
_SAMPLED = " `@t1` marks answers sampled at temperature 1; all others are greedy."
_span = partial(code_span, longest=200)


@dataclass(frozen=True)
class Verdict:
    """The metrics of a model, those of its base, and the thresholds that apply.

    `shares`, `before` and `changes` map the names of metrics to their values (`before` is None without a base),
    `checks` maps those that have a threshold, `asked` maps each set of questions to (asked, in all), `about` holds the
    settings of the evaluation.
    """

    shares: Mapping[str, Share | Wins]
    before: Mapping[str, Share] | None
    checks: Mapping[str, ThresholdCheck]
    asked: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True if every threshold that can be applied holds."""
        return all(check.ok for check in self.checks.values())

    def as_json(self) -> dict[str, Any]:
        """Return one JSON object: `{"command", "ok", "metrics", "thresholds", "before", "asked", ...}`.

        A metric with a value before has a `change`: `{"value", "low", "high", "of"}`.
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
        """Return a section `## Verdict` for a model card; texts from outside are in code spans."""
        failing, of = sum(not check.ok for check in self.checks.values()), len(self.checks)
        outcome = f"**PASS**: all {of} thresholds hold."
        if failing:
            outcome = f"**FAIL**: of {of} thresholds {failing} failed."
        shown = dict.fromkeys(re.split("[/@]", name)[0] for name in self.shares)
        legend = [f"- `{name}`: {METRICS[name]}" for name in shown if name in METRICS]
        facts = [f"- {name}: {text}" for name, parts in _facts(self).items() if (text := ", ".join(parts))]
        notes = _INTERVALS + (_SAMPLED if any("@" in name for name in self.shares) else "")
        table = ["| | before | now | change | |", "|---|--:|--:|--:|---|"]
        for name, share in self.shares.items():
            past = (self.before or {}).get(name, "")
            cells = (_span(name, cell=True), past, share, self.changes.get(name, ""), self.checks.get(name, ""))
            table.append("| " + " | ".join(str(cell).strip() for cell in cells) + " |")
        parts = ["## Verdict", outcome if of else "", "\n".join(table), notes, "\n".join(facts), "\n".join(legend)]
        return "\n\n".join(filter(None, parts)) + "\n"

    def __str__(self) -> str:
        questions = "questions: " + ", ".join(f"{asked} of {of} {name}" for name, (asked, of) in self.asked.items())
        outcome = [f"verdict: {'PASS' if self.ok else 'FAIL'}"] if self.checks else []
        return "\n".join([questions, *map(self._line, self.shares), *outcome])

    def __rich__(self) -> Text:
        from rich.text import Text

        return Text(str(self))

    def _line(self, name: str) -> str:
        """`new_name   0.0% ->  97.0%  +97.0 [+91.3, +98.9]  PASS at least 95%`; without a base, its own interval."""
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
    """Return the verdict on a model's judged answers.

    Args:
        after: the judged answers of the model.
        before: those of the model that it was trained from.
        wins: how often the model's answers won against the base's, if a judge was asked.
        thresholds: the first that can be applied to a metric is.
        asked: how many questions of each set were asked, of how many.
        about: the settings of the evaluation, for JSON and Markdown.
    """
    measured = Measured(after, before, wins)
    applied = checks(thresholds, measured)
    return Verdict(measured.shares, measured.base_shares, applied, asked or {}, about or {}, measured.changes)


def _facts(verdict: Verdict) -> dict[str, Iterable[str]]:
    """Return the parts of each setting of the evaluation as Markdown."""
    about = verdict.about
    models = ((name, about.get(name)) for name in ("model", "base", "judge"))
    return {
        **{name: [_span(public_name(str(model)))] for name, model in models if model},
        "names": [f"{_span(old)} to {_span(new)}" for old, new in (about.get("rules") or {}).items()],
        "contexts": map(_span, about.get("contexts") or ()),
        "held-out questions": [f"{asked} of {of} {_span(name)}" for name, (asked, of) in verdict.asked.items()],
        "seed": [_span(about["seed"])] if "seed" in about else [],
        "versions": [f"{_span(name)} {_span(version)}" for name, version in (about.get("versions") or {}).items()],
    }
