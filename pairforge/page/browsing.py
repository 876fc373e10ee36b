"""What the page shows of runs and files: their rows, what checks find in them, and what came of them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ..checks.rule import RULES
from ..disk import atomic, write_errors
from ..errors import InputError, PairforgeError
from ..formats.writers import encoded
from ..types import Finding
from .evidence import RunEvidence
from .row_index import MARKS, RowIndex, difference
from .server import Handler, MissingError

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


@dataclass(frozen=True)
class ViewSource:
    """Pairs to look at: their name, the rows (a Skip where one can't be read), and where they are those of a run, what
    that left. `expect` names what is meant to differ; `skips` are the rows of the run that became no pairs.
    """

    name: str
    rows: Iterable[Any]
    skips: Iterable[Any] = ()
    evidence: RunEvidence | None = None
    expect: Sequence[str] = ()


class PairBrowser:
    """Serves the rows of sources, which are read and checked in a thread of its own. `save` is where rows are written
    without those that were marked to be dropped.
    """

    def __init__(self, sources: Sequence[ViewSource], save: Path | None = None) -> None:
        self.sources, self.save = sources, save
        self.index = RowIndex()
        self.state, self.failure = "reading", ""
        self._shortcuts = list[dict[str, Any]]()
        self._closed = self._saved = False
        self.thread = threading.Thread(target=self._fill, daemon=True)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """Return what is answered."""
        return {
            ("GET", "/api/source"): self.source,
            ("GET", "/api/rows"): lambda asked, _: self.index.page(asked),
            ("GET", "/api/rows/{row:int}"): self.row,
            ("POST", "/api/marks"): self.mark,
            ("POST", "/api/save"): self.write,
        }

    def close(self) -> None:
        self._closed = True
        self.index.close()

    def _fill(self) -> None:
        try:
            for number, source in enumerate(self.sources):
                self.index.add(number, self._until_closed(source.rows))
                self.index.add(number, self._until_closed(source.skips))
            self.index.sort()
            self.state = "checking"
            for number, source in enumerate(self.sources):
                self._check(number, source)
            self.state = "ready"
        except PairforgeError as error:
            self.state, self.failure = "failed", str(error)
        except Exception as error:  # noqa: BLE001 (the end of a thread: the page says it)
            if not self._closed:
                self.state, self.failure = "failed", f"{type(error).__name__}: {error}"

    def _until_closed(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            if self._closed:
                return
            yield row

    def _check(self, number: int, source: ViewSource) -> None:
        """Check the pairs of a source, and look for shortcuts in them."""
        from ..checks.runner import RowChecker
        from ..checks.shortcuts.audit import ShortcutChecker  # loads numpy, while the page is there already

        checker, shortcuts = RowChecker(), ShortcutChecker(source.expect)
        found = list[Finding]()
        for row, value in self.index.pairs(number):
            found += checker.see(row, value)
            shortcuts.see(row, value)
            if len(found) > 500:
                self.index.add_findings(found)
                found = []
        self.index.add_findings(chain(found, checker.findings()))
        with suppress(InputError):
            if report := shortcuts.report():
                self._shortcuts.append({"run": source.name, "conclusion": report.conclusion, **report.as_json()})
                self.index.add_findings(
                    Finding(finding.code, finding.severity, finding.message, row)
                    for cue, finding in zip(report.cues, report.findings, strict=False)
                    for row in cue.examples or (None,)
                )

    def source(self, _: Mapping[str, str], __: Mapping[str, Any]) -> dict[str, Any]:
        """Return what there is to see."""
        counts = self.index.counts()
        kinds = counts["kinds"]
        sources = [
            {"name": one.name, "rows": kinds.get((number, "pair"), 0), "skips": kinds.get((number, "skip"), 0)}
            for number, one in enumerate(self.sources)
        ]
        return {
            "mode": "view",
            "title": " · ".join(one.name for one in self.sources),
            "state": self.state,
            "failure": self.failure,
            "sources": sources,
            "rows": sum(one["rows"] for one in sources),
            "skips": sum(one["skips"] for one in sources),
            "judges": counts["judges"],
            "findings": [*map(_described, counts["codes"])],
            "skip_reasons": counts["reasons"],
            "shortcuts": self._shortcuts,
            "training": self._of_runs(RunEvidence.training),
            "verdict": self._of_runs(RunEvidence.verdicts),
            "compared": self._compared(),
            "guidelines": None,
            "writable": self.save is not None,
            **self.index.marks(),
        }

    def _of_runs(self, found: Callable[[RunEvidence], Iterable[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return what is found of all runs, each with the name of its run."""
        runs = [(one.name, one.evidence) for one in self.sources if one.evidence]
        return [{"run": name, **said} for name, evidence in runs for said in found(evidence)]

    def _compared(self) -> list[tuple[str, list[str]]]:
        """Return the settings in which the sources differ: the name, and the value of each source."""
        settings = [one.evidence.run.flat() if one.evidence else {} for one in self.sources]
        texts = [
            {name: value if isinstance(value, str) else json.dumps(value) for name, value in of.items()}
            for of in settings
        ]
        names = dict.fromkeys(name for of in texts for name in of)
        rows = [(name, [of.get(name, "") for of in texts]) for name in names]
        return [(name, values) for name, values in rows if len({*values}) > 1]

    def row(self, asked: Mapping[str, str], _: Mapping[str, Any]) -> dict[str, Any]:
        """Return all that is known of a row."""
        number = int(asked["row"]) if len(asked["row"]) < 12 else -1
        found = self.index.row(number)
        if found is None:
            raise MissingError(f"there is no row {number}")
        found["diff"] = difference(found["chosen"], found["rejected"]) if found["kind"] == "pair" else []
        evidence, prompt = self.sources[found["source"]].evidence, found["columns"].get("prompt_id")
        found["candidates"] = evidence.candidates(prompt) if evidence and prompt else []
        for one in found["candidates"]:
            sides = ("chosen", "rejected") if found["kind"] == "pair" else ()
            one["picked"] = next((side for side in sides if found[side] == one["text"]), None)
        return found

    def mark(self, _: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
        """Mark a row."""
        row, mark = body.get("row"), body.get("mark")
        if type(row) is not int or not (mark is None or mark in MARKS):
            raise InputError("a mark is {row, mark}, where mark is drop, keep or null")
        if not 0 <= row < 1 << 40 or self.index.row(row) is None:
            raise MissingError(f"there is no row {row}")
        return {"row": row, "mark": mark, **self.index.mark(row, mark)}

    def write(self, _: Mapping[str, str], __: Mapping[str, Any]) -> dict[str, Any]:
        """Write the pairs of the first source: where rows are marked to be kept, these alone, else all not dropped."""
        if self.save is None:
            raise InputError("no file to write is named", fix="pairforge view --save OUT.jsonl")
        if self.state == "reading":
            raise InputError("the rows are still being read", fix="try again when all are there")
        marked = [(mark, row) for mark, row in self.index.marked(0)]
        keep = any(mark == "keep" for mark, _ in marked)
        rows = [row for mark, row in marked if (mark == "keep" if keep else mark != "drop")]
        if os.path.lexists(self.save) and not self._saved:
            raise InputError(f"{self.save} exists now", fix="start again with another name: --save OUT.jsonl")
        with write_errors(self.save), atomic(self.save) as file:
            file.writelines(encoded(row) + b"\n" for row in rows)
        self._saved = True
        return {"path": str(self.save), "rows": len(rows)}


def _described(code: tuple[str, int, str]) -> dict[str, Any]:
    name, count, message = code
    rule = RULES[name]
    title = " ".join(rule.why.split("\n\n")[0].split())
    return {
        "code": name,
        "level": _LEVELS[rule.severity],
        "title": title,
        "count": count,
        "message": message,
        "fix": rule.fix.format(data="PAIRS"),
    }
