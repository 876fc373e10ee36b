"""The result of `balance`: what was done to which row, and the audits before and after."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks.shortcuts import Report
from ..checks.shortcuts.rebalancing import beyond_balance
from ..checks.shortcuts.report import KIND_NAMES
from ..console import table
from ..notebook import HtmlRepr
from ..run import Run
from ..samplers.decoding import Decoding
from ..text import plural, visible
from ..types import Finding
from .change_log import ChangeLog
from .models import HELPFUL_SYSTEM_MESSAGE

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass(frozen=True, repr=False)
class Balanced(HtmlRepr):
    """The audits before and after, what was done between them, and the files written (None: none)."""

    before: Report
    after: Report
    ledger: ChangeLog
    output: Path | None
    record: Path | None
    advice: Sequence[str]

    @property
    def ok(self) -> bool:
        """True if the verdict on the pairs that are left is below the level that fails."""
        return self.after.ok

    def __repr__(self) -> str:
        return f"<Balanced: {self.after.rows} of {self.before.rows} pairs kept, {self.ledger}>"

    def findings(self) -> dict[str, list[Finding]]:
        """Return which warnings and errors are `gone`, which are `left`, and which are `new`."""
        before, after = (
            {(one.code, one.more.get("feature")): one for one in audit.findings if one.severity != "info"}
            for audit in (self.before, self.after)
        )
        return {
            "gone": [one for key, one in before.items() if key not in after],
            "left": [one for key, one in after.items() if key in before],
            "new": [one for key, one in after.items() if key not in before],
        }

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge balance --json` prints."""
        before, after = self.before.as_json(), self.after.as_json()
        summary = ("rows", "verdict", "separability", "predictability", "similarity")
        return {
            "command": "balance",
            "ok": self.ok,
            "rows": self.before.rows,
            "kept": self.after.rows,
            **self.ledger.counts(),
            "output": self.output and str(self.output),
            "record": self.record and str(self.record),
            "before": {name: before[name] for name in summary},
            "after": {name: after[name] for name in summary},
            "findings": {name: [one.as_json() for one in found] for name, found in self.findings().items()},
            "advice": list(self.advice),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from map(visible, self.ledger.summary(would=self.output is None) or [str(self.ledger)])
        columns = [_column(audit) for audit in (self.before, self.after)]
        yield table("", ("", "before", "after"), [(name, *(c.get(name, "") for c in columns)) for name in columns[0]])
        for name, found in self.findings().items():
            yield from (visible(f"{name}: {one.code} {one.message}") for one in found)
        yield from map(visible, self.advice)
        if self.output:
            yield visible(f"{self.output}: {self.after.rows} of {self.before.rows} rows written")
            yield visible(f"{self.record}: the dropped and changed rows, each with the reason")
        else:
            yield "nothing is written without a name for the output: pairforge balance IN OUT"


def _column(audit: Report) -> dict[str, str]:
    cells = {
        "pairs": str(audit.rows),
        "verdict": audit.verdict if audit.enough or audit.verdict != "ok" else "too few pairs to say",
        "picked without the prompt": f"{audit.separability:.1%}",
    }
    if any(cue.intended for cue in audit.cues):
        cells["apart from what is intended"] = f"{audit.unintended.value:.1%}" if audit.unintended else "too few pairs"
    cells |= {f"by {KIND_NAMES[kind]} alone": f"{share.value:.1%}" for kind, share in audit.by.items()}
    return cells | {"findings": str(sum(one.severity != "info" for one in audit.findings))}


def advice(after: Report, run: Run | None, uneven: Sequence[str], unknown: int) -> list[str]:
    """Return what is left to do, which `balance` can't do."""
    lines = []
    if any(cue.intended and not cue.balanced and cue.grade != "low" for cue in after.cues):
        command = counter_command(run) if run and run.command == "correct" else "pairforge correct ... --counter 0.3"
        lines.append(f"pairs in which what is intended is wrong need the model: {command}")
    if unknown:
        lines.append(
            f"{plural(unknown, 'pair')} could not be picked again: their answers or scores are not in the evidence"
        )
    lines += [f"--subsample would have to drop more than a fifth of the pairs against {cue!r}" for cue in uneven]
    return lines + beyond_balance(after.cues)


def counter_command(run: Run) -> str:
    """Return the command that makes a correction run again with counter-pairs.

    A run knows an adapter and a chat template by their content alone: they are not repeated.
    """
    settings, sampling = run.settings, run.settings.get("sampling") or {}
    options: list[tuple[str, Any]] = [("model", str(settings["model"]))]
    for old, new in (settings.get("rules") or {}).items():
        options += [("from", old), ("to", new)]
    if source := (settings.get("prompts") or {}).get("source"):
        options.append(("prompts", source))
    if (contexts := settings.get("contexts") or []) != [None, HELPFUL_SYSTEM_MESSAGE]:
        options += [("no-system", True) if text is None else ("system", text) for text in contexts]
    options += [(name, settings[name]) for name in ("case", "match", "about", "thinking") if name in settings]
    options += [("inside", kind) for kind in settings.get("inside") or ()]
    options += [(name, True) for name in ("fold_width", "article") if settings.get(name)]
    if (server := sampling.get("server", "")).startswith("http"):
        options.append(("base-url", server))
    defaults = asdict(Decoding())
    for name in ("max_new_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "dtype"):
        if (value := sampling.get(name, defaults.get(name))) != defaults.get(name):
            options.append((name, str(value)))
    options += [("stop", text) for text in sampling.get("stop") or ()]
    if kwargs := sampling.get("chat_template_kwargs"):
        options.append(("chat-template-kwargs", json.dumps(kwargs, ensure_ascii=False)))
    words = [word for name, value in options for word in (f"--{name.replace('_', '-')}", value) if word is not True]
    return shlex.join(["pairforge", "correct", *words, "--counter", "0.3"])
