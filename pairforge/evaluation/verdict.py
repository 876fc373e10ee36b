"""The verdict on a model: every metric, its value before, and whether each threshold holds; as text, JSON or Markdown.

In Markdown, a section of a model card, texts from outside are put into code spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..markdown import code_span, public_name
from ..notebook import HtmlRepr, data_frame
from ..statistics import Wins
from .figures import Figures
from .hints import hints
from .metrics import METRICS, Judged, Measured
from .thresholds import THRESHOLDS, Threshold, checks
from .verdict_text import verdict_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

_INTERVALS = (
    "In brackets 95 % intervals: Wilson's for a share; for a change, in points, Tango's for paired shares, question by "
    "question."
)
_SAMPLED = " `@t1` marks answers sampled at temperature 1; all others are greedy."
_SHOWN = 12  # failing answers in a notebook
_span = partial(code_span, longest=200)


@dataclass(frozen=True)
class Verdict(HtmlRepr, Figures):
    """What evaluate returns: the figures, as a text, as JSON or as Markdown."""

    def as_json(self) -> dict[str, Any]:
        """Return one JSON object: `{"command", "ok", "verdict", "why", "metrics", "thresholds", "before", ...}`.

        `verdict` is "PASS", "FAIL" or null, `why` has a hint for each failed metric. A metric with a value before has a
        `change`: `{"value", "low", "high", "of"}`; one that chance alone changes has a `noise` of the same form.
        """
        changes: dict[str, dict[str, Any]] = {name: {"change": one.as_json()} for name, one in self.changes.items()}
        for name, noise in self.noise.items():
            changes.setdefault(name, {})["noise"] = noise.as_json()
        return {
            "command": "evaluate",
            "ok": self.ok,
            "verdict": self.outcome,
            **self.about,
            "metrics": {name: share.as_json() | changes.get(name, {}) for name, share in self.shares.items()},
            "thresholds": {name: check.as_json() for name, check in self.checks.items()},
            "before": self.before and {name: share.as_json() for name, share in self.before.items()},
            "asked": {name: {"asked": asked, "of": of} for name, (asked, of) in self.asked.items()},
            "why": [hint.as_json() for hint in hints(self)],
            "failures": self.failures,
        }

    def as_html(self) -> str:
        """Return the outcome and a table of the measures, for a notebook."""
        from .verdict_html import answers_html, failing_html, verdict_html

        said = self.as_json()
        return (
            verdict_html(said) + answers_html(said) + failing_html(answer.as_json() for answer in self.failing[:_SHOWN])
        )

    def to_pandas(self) -> Any:
        """Return the measures as a `pandas.DataFrame`, a row for each, with the ends of the intervals."""
        from .verdict_html import measures

        return data_frame(one.row() for one in measures(self.as_json()))

    def as_markdown(self) -> str:
        """Return a section `## Verdict` for a model card; texts from outside are in code spans."""
        judged = [name for name, check in self.checks.items() if check.ok is not None]
        outcome = f"**No verdict**: {self.no_verdict}." if self.no_verdict else ""
        if self.outcome == "PASS":
            outcome = f"**PASS**: all {len(judged)} thresholds hold."
        elif self.outcome == "FAIL":
            spans = ", ".join(_span(name) for name in self.failed)
            outcome = f"**FAIL**: {len(self.failed)} of {len(judged)} thresholds failed: {spans}."
            outcome += "".join(f" Likely cause: {_span(hint.why)}." for hint in hints(self)[:1])
        whole = {name.partition("/")[0] for name in self.failed}
        names = sorted(self.shares, key=lambda name: name.partition("/")[0] not in whole)
        shown = dict.fromkeys(re.split("[/@]", name)[0] for name in self.shares)
        legend = [f"- `{name}`: {METRICS[name]}" for name in shown if name in METRICS]
        facts = [f"- {name}: {text}" for name, parts in _facts(self).items() if (text := ", ".join(parts))]
        notes = _INTERVALS + (_SAMPLED if any("@" in name for name in self.shares) else "")
        table = ["| | before | now | change | |", "|---|--:|--:|--:|---|"]
        for name in names:
            share, past = self.shares[name], (self.before or {}).get(name, "")
            cells = (_span(name, cell=True), past, share, self.changes.get(name, ""), self.checks.get(name, ""))
            table.append("| " + " | ".join(str(cell).strip() for cell in cells) + " |")
        parts = ["## Verdict", outcome, "\n".join(table), notes, "\n".join(facts), "\n".join(legend)]
        return "\n\n".join(filter(None, parts)) + "\n"

    def __str__(self) -> str:
        return verdict_text(self).plain

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield verdict_text(self, options.max_width)


def verdict(
    after: Judged,
    before: Judged | None = None,
    *,
    wins: Wins | None = None,
    again: Judged | None = None,
    thresholds: Sequence[Threshold] = THRESHOLDS,
    asked: Mapping[str, tuple[int, int]] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return the verdict on a model's judged answers.

    Args:
        after: the judged answers of the model.
        before: those of the model that it was trained from.
        wins: how often the model's answers won against the base's, if a judge was asked.
        again: judged answers of the base that were drawn with another seed.
        thresholds: the first that can be applied to a metric is.
        asked: how many questions of each set were asked, of how many.
        about: the settings of the evaluation, for JSON and Markdown.
    """
    measured = Measured(after, before, wins, again)
    applied = checks(thresholds, measured)
    found = Verdict(measured.shares, measured.base_shares, applied, asked or {}, about or {}, measured.changes)
    return replace(found, noise=measured.noise)


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
