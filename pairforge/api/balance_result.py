"""What `balance` did or would do: the pairs before and after, side by side."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from ..checks.shortcuts import Report
from ..console import table
from ..errors import InputError
from ..formats import writers
from ..run import Run
from ..samplers.decoding import Decoding
from ..text import visible
from ..types import Finding
from .models import HELPFUL

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


class Rows:
    """Rows on disk, for as long as the context lasts: written once, read as often as needed."""

    def __enter__(self) -> Rows:
        self._file, self._count = NamedTemporaryFile(suffix=".jsonl"), 0
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fill(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Takes the rows. Raises InputError for one that no file can hold."""
        for row in rows:
            try:
                self._file.write(writers.encoded(row) + b"\n")
            except (ValueError, TypeError) as error:
                fix = "see all such rows with: pairforge validate"
                raise InputError(f"row {self._count} can't be written: {error}", fix=fix) from error
            self._count += 1
        self._file.flush()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with open(self._file.name, "rb") as file:
            yield from map(json.loads, file)

    def without(self, numbers: Container[int]) -> Kept:
        """Those that have none of the numbers, which may still grow."""
        return Kept(self, numbers)


@dataclass(frozen=True)
class Kept:
    """Some of the rows."""

    rows: Rows
    gone: Container[int]

    def numbered(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """With their numbers among all."""
        return ((number, row) for number, row in enumerate(self.rows) if number not in self.gone)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (row for _, row in self.numbered())


class Ledger:
    """What was done to which row of the source, and why."""

    def __init__(self) -> None:
        self.changed: dict[int, list[tuple[str, str]]] = {}
        self.dropped: dict[int, tuple[str, str]] = {}

    def change(self, row: int, remedy: str, why: str) -> None:
        self.changed.setdefault(row, []).append((remedy, why))

    def drop(self, row: int, remedy: str, why: str) -> None:
        self.dropped[row] = remedy, why

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows dropped and rows changed, by remedy; what was changed and then dropped counts as dropped."""
        changed = Counter(remedy for row, done in self.changed.items() if row not in self.dropped for remedy, _ in done)
        dropped = Counter(remedy for remedy, _ in self.dropped.values())
        return {"dropped": dict(sorted(dropped.items())), "changed": dict(sorted(changed.items()))}

    def lines(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """An object for each row that was touched: its number, what was done, and the row as it was."""
        for number, row in enumerate(rows):
            done = self.changed.get(number, [])
            what = "dropped" if number in self.dropped else "changed"
            if what == "dropped":
                done = [*done, self.dropped[number]]
            if done:
                said = {"remedies": [remedy for remedy, _ in done], "why": "; ".join(why for _, why in done)}
                yield {"row": number, "what": what, **said, "pair": row}

    def __str__(self) -> str:
        counts = self.counts()
        told = [f"{n} {what}: {remedy}" for what in ("dropped", "changed") for remedy, n in counts[what].items()]
        return " · ".join(told) or "nothing to mend"


@dataclass(frozen=True)
class Balanced:
    """The audits before and after, what was done between them, and where it was written (None: nowhere)."""

    before: Report
    after: Report
    ledger: Ledger
    output: Path | None
    record: Path | None
    advice: Sequence[str]

    @property
    def ok(self) -> bool:
        """What is left is below the verdict that fails."""
        return self.after.ok

    def findings(self) -> dict[str, list[Finding]]:
        """Which warnings and errors are `gone`, which are `left`, and which are `new`."""
        before, after = ({_key(one): one for one in audit.findings if one.severity != "info"} for audit in self._both)
        return {
            "gone": [one for key, one in before.items() if key not in after],
            "left": [one for key, one in after.items() if key in before],
            "new": [one for key, one in after.items() if key not in before],
        }

    @property
    def _both(self) -> tuple[Report, Report]:
        return self.before, self.after

    def as_json(self) -> dict[str, Any]:
        """The object that `pairforge balance --json` prints."""
        return {
            "command": "balance",
            "ok": self.ok,
            "rows": self.before.rows,
            "kept": self.after.rows,
            **self.ledger.counts(),
            "output": str(self.output) if self.output else None,
            "record": str(self.record) if self.record else None,
            "before": _summary(self.before),
            "after": _summary(self.after),
            "findings": {name: [one.as_json() for one in found] for name, found in self.findings().items()},
            "advice": list(self.advice),
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [_column(audit) for audit in self._both]
        yield table("", ("", "before", "after"), [(name, *(c.get(name, "") for c in columns)) for name in columns[0]])
        yield str(self.ledger)
        for name, found in self.findings().items():
            yield from (visible(f"{name}: {one.code} {one.message}") for one in found)
        yield from map(visible, self.advice)
        if self.output:
            yield visible(
                f"wrote {self.output}: {self.after.rows} rows; {self.record} keeps what was dropped or changed"
            )
        else:
            yield "nothing is written before a file is named: pairforge balance IN OUT"


def _key(finding: Finding) -> tuple[str, Any]:
    return finding.code, finding.more.get("feature")


def _summary(audit: Report) -> dict[str, Any]:
    said = audit.as_json()
    return {name: said[name] for name in ("rows", "verdict", "separability", "predictability", "similarity")}


def _column(audit: Report) -> dict[str, str]:
    told = {
        "pairs": str(audit.rows),
        "verdict": audit.verdict,
        "a blind reader picks chosen": _share(audit.reader.value),
    }
    if audit.unintended is not audit.reader and any(cue.intended for cue in audit.cues):
        told["beside what is intended"] = _share(audit.unintended.value) if audit.unintended else "too few pairs"
    told |= {f"by {kind} alone": _share(share.value) for kind, share in audit.by.items()}
    return told | {"findings": str(sum(one.severity != "info" for one in audit.findings))}


def _share(value: float) -> str:
    return f"{value:.1%}"


def advice(after: Report, run: Run | None, uneven: Sequence[str], unknown: int) -> list[str]:
    """What is left to do, and can't be done here."""
    lines = []
    if any(cue.intended and not cue.balanced and cue.grade != "low" for cue in after.cues):
        command = counter_command(run) if run and run.command == "correct" else "pairforge correct ... --counter 1"
        lines.append(f"what is intended is unbalanced, and counter-pairs need the model: {command}")
    if unknown:
        lines.append(f"{unknown} pairs could not be picked again: their answers or scores are not in the evidence")
    lines += [f"--subsample would have to drop more than a fifth of the pairs against {cue!r}" for cue in uneven]
    return lines


def counter_command(run: Run) -> str:
    """The command that makes a correction run again with counter-pairs.

    A run knows an adapter and a chat template by their content alone: they are not repeated.
    """
    settings = run.settings
    words = ["pairforge", "correct", "--model", str(settings["model"])]
    for old, new in (settings.get("rules") or {}).items():
        words += ["--from", old, "--to", new]
    source = (settings.get("prompts") or {}).get("source")
    words += ["--prompts", source] if source else []
    contexts = settings.get("contexts") or []
    if contexts != [None, HELPFUL]:
        words += [word for text in contexts for word in (["--no-system"] if text is None else ["--system", text])]
    for name in ("case", "match", "about", "thinking"):
        words += [f"--{name}", settings[name]] if name in settings else []
    words += [word for kind in settings.get("inside") or () for word in ("--inside", kind)]
    words += [f"--{name.replace('_', '-')}" for name in ("fold_width", "article") if settings.get(name)]
    return shlex.join([*words, *_sampling(settings.get("sampling") or {}), "--counter", "1"])


def _sampling(settings: Mapping[str, Any]) -> Iterator[str]:
    """The options by which answers were sampled, where they are not the defaults."""
    server = settings.get("server", "")
    yield from ("--base-url", server) if server.startswith("http") else ()
    plain = asdict(Decoding())
    for name in ("max_new_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "dtype"):
        value = settings.get(name, plain.get(name))
        yield from () if value == plain.get(name) else (f"--{name.replace('_', '-')}", str(value))
    for text in settings.get("stop") or ():
        yield from ("--stop", text)
    if kwargs := settings.get("chat_template_kwargs"):
        yield from ("--chat-template-kwargs", json.dumps(kwargs, ensure_ascii=False))
