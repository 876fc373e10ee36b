"""The result of `balance`: what was done to which row, and the audits before and after."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checks.shortcuts import Report
from ..console import HtmlRepr, table
from ..run import Run
from ..samplers.decoding import Decoding
from ..text import visible
from ..types import Finding, Skip
from .models import HELPFUL_SYSTEM_MESSAGE

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


_SHOWN = 5
"""Rows of a remedy that are named."""


class ChangeLog:
    """The changes of rows of the source, each with its reason."""

    def __init__(self) -> None:
        self.changed: dict[int, list[tuple[str, str]]] = {}
        self.dropped: dict[int, tuple[str, str]] = {}

    def change(self, row: int, remedy: str, why: str) -> None:
        """Record that a remedy changed a row."""
        self.changed.setdefault(row, []).append((remedy, why))

    def drop(self, row: int, remedy: str, why: str) -> None:
        """Record that a remedy dropped a row."""
        self.dropped[row] = remedy, why

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the rows dropped and the rows changed, by remedy; a row changed and then dropped counts as dropped."""
        changed = Counter(remedy for row, done in self.changed.items() if row not in self.dropped for remedy, _ in done)
        dropped = Counter(remedy for remedy, _ in self.dropped.values())
        return {"dropped": dict(sorted(dropped.items())), "changed": dict(sorted(changed.items()))}

    def lines(self, rows: Iterable[Any], names: str = "remedies") -> Iterator[dict[str, Any]]:
        """Yield an object for each changed or dropped row: its number, what was done, and the row as it was.

        `names` is the key under which the remedies are. A row that could not be read is null.
        """
        for number, row in enumerate(rows):
            dropped = [self.dropped[number]] if number in self.dropped else []
            if done := self.changed.get(number, []) + dropped:
                remedies, why = zip(*done, strict=True)
                pair = None if isinstance(row, Skip) else row
                line = {"row": number, "id": pair.get("id") if isinstance(pair, Mapping) else None}
                line |= {"what": "dropped" if dropped else "changed", names: list(remedies)}
                yield line | {"why": "; ".join(why), "pair": pair}

    def summary(self, would: bool = False) -> list[str]:
        """Return a line for each remedy: how many rows it dropped or changed (or `would`), which, and why the first."""
        lines = []
        for what, verb in (("dropped", "drop"), ("changed", "change")):
            rows: dict[str, list[tuple[int, str]]] = {}
            for row, (remedy, why) in sorted(self.dropped.items()) if what == "dropped" else ():
                rows.setdefault(remedy, []).append((row, why))
            for row, done in sorted(self.changed.items()) if what == "changed" else ():
                for remedy, why in done if row not in self.dropped else ():
                    rows.setdefault(remedy, []).append((row, why))
            for remedy, found in sorted(rows.items()):
                count = f"{len(found)} row{'' if len(found) == 1 else 's'}"
                numbers = ", ".join(str(row) for row, _ in found[:_SHOWN]) + " ..." * (len(found) > _SHOWN)
                did = f"would {verb} {count}" if would else f"{count} {what}"
                lines.append(f"{did}: {remedy} ({numbers}): {found[0][1]}")
        return lines

    def __str__(self) -> str:
        counts = self.counts()
        parts = [f"{n} {what}: {remedy}" for what in ("dropped", "changed") for remedy, n in counts[what].items()]
        return " · ".join(parts) or "nothing to fix"


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
    cells |= {f"by {kind} alone": f"{share.value:.1%}" for kind, share in audit.by.items()}
    return cells | {"findings": str(sum(one.severity != "info" for one in audit.findings))}


def advice(after: Report, run: Run | None, uneven: Sequence[str], unknown: int) -> list[str]:
    """Return what is left to do, which `balance` can't do."""
    lines = []
    if any(cue.intended and not cue.balanced and cue.grade != "low" for cue in after.cues):
        command = counter_command(run) if run and run.command == "correct" else "pairforge correct ... --counter 1"
        lines.append(f"pairs in which what is intended is wrong need the model: {command}")
    if unknown:
        lines.append(f"{unknown} pairs could not be picked again: their answers or scores are not in the evidence")
    lines += [f"--subsample would have to drop more than a fifth of the pairs against {cue!r}" for cue in uneven]
    return lines


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
    return shlex.join(["pairforge", "correct", *words, "--counter", "1"])
