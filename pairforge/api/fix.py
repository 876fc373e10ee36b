"""The verb `fix`: pairs of any shape to sound pairs of one shape, with a reason for each row that changed."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks, formats
from ..checks import schema
from ..checks.duplicates import Digests, contradictions, earliest
from ..checks.fixes import EDGES, cut_on_one_side, fix_row
from ..checks.row import Sides
from ..checks.runner import RowChecker
from ..console import HtmlRepr, table
from ..disk import atomic, write_errors
from ..errors import InputError
from ..formats import writers
from ..options import FixOptions, keywords
from ..readers.spool import RowSpool
from ..text import visible
from ..types import Skip
from .balance_result import ChangeLog
from .inputs import PairInput, check_output
from .validate_result import Findings

_EMPTY_TURN, _CUT, _TWICE, _CONTRADICTS = "PF115", "PF111", "PF202", "PF203"
_CODES = {"tokens": "PF108", "spaces": "PF302"}
"""The codes of what is taken off the edges of answers."""
_OF_ROWS = [code for code, one in checks.RULES.items() if one.over in ("value", "schema", "row")]


@dataclass(repr=False)
class FixedPairs(HtmlRepr):
    """What `fix` did to which row, and what is still wrong with the rows that it wrote.

    `shape` names the shape of most rows read; `record` is the file with each row that was dropped or changed.
    """

    output: Path
    record: Path
    shape: str
    rows: int
    written: int
    log: ChangeLog
    left: Findings = field(default_factory=Findings)

    @property
    def ok(self) -> bool:
        """What was written has no errors."""
        return self.left.ok

    def __repr__(self) -> str:
        return f"<FixedPairs: {self._summary()}>"

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge fix --json` prints: `rows` = `written` + the rows dropped."""
        said = {"command": "fix", "ok": self.ok, "shape": self.shape, "rows": self.rows, "written": self.written}
        said |= {"output": str(self.output), "record": str(self.record), **self.log.counts()}
        return said | {"left": dict(sorted(self.left.counts.items()))}

    def _summary(self) -> str:
        changed = sum(row not in self.log.dropped for row in self.log.changed)
        counts = f"{self.written} of {self.rows} rows written, {len(self.log.dropped)} dropped"
        return f"{counts}, {changed} changed"

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        if lines := [*self._lines()]:
            yield table("", ("", "rows", "code", "first", "why"), lines)
        yield visible(f"{self.output}: {self._summary()}")
        if lines:
            yield visible(f"{self.record}: each row that was dropped or changed, with the reason")
        kinds = Counter(one.severity for one in self.left)
        if errors := sorted({one.code for one in self.left if one.severity == "error"}):
            yield f"still wrong: {', '.join(errors)}, which only you can decide on"
        counts = [f"{kinds[kind]} {kind}{'' if kinds[kind] == 1 else 's'}" for kind in ("error", "warning")]
        yield f"checked again: {', '.join(counts)}"
        name = shlex.quote(str(self.output))
        yield visible(f"next: pairforge {'shortcuts' if self.ok else 'validate'} {name}")

    def _lines(self) -> Iterator[tuple[str, ...]]:
        """Yield a line for each code by which rows were dropped, then for each by which rows were changed."""
        changed = [(row, *one) for row, done in self.log.changed.items() if row not in self.log.dropped for one in done]
        dropped = [(row, *one) for row, one in self.log.dropped.items()]
        for what, done in (("dropped", dropped), ("changed", changed)):
            first: dict[str, tuple[int, str]] = {}
            for row, code, why in sorted(done):
                first.setdefault(code, (row, why))
            counts = Counter(code for _, code, _ in done)
            yield from ((what, str(counts[code]), code, f"row {row}", why) for code, (row, why) in first.items())


@keywords(FixOptions)
def fix(options: FixOptions) -> FixedPairs:
    """Write pairs of any shape as sound pairs: lists of messages, without the rows that have errors.

    In this order: rows are read as messages; template tokens and white space are taken off the edges of answers where
    only one of the two has them; rows that have an error are dropped, then those that were there before, then those
    that contradict each other. What was dropped or changed is kept beside `out`, each row as it was, with the reason.
    The rows that are left are checked again.

    Raises InputError where the source holds no pairs, nothing would be left, and where `out` exists (without
    `overwrite`) or is the source itself.
    """
    path = Path(options.out)
    record = path.with_name(f"{path.stem}.fixes.jsonl")
    source = PairInput(options.data, options.output, quiet=options.quiet, columns=options.columns)
    for written in (path, record):
        check_output(written, (".jsonl", ".ndjson"), source, overwrite=options.overwrite)
    with ExitStack() as stack:
        stack.enter_context(source)
        shape, start = source.recognised()
        _require_pairs(shape, source, start)
        log = ChangeLog()
        fixed = stack.enter_context(RowSpool(_fixed(source, shape, options.drop_cut, log)))
        made = FixedPairs(path, record, shape.name, len(fixed), len(fixed) - len(log.dropped), log)
        if not made.written:
            first = next(iter(log.dropped.values()), ("", "there are no rows"))[1]
            rows = f"{len(fixed)} row{'' if len(fixed) == 1 else 's'}"
            raise InputError(f"nothing would be left of {rows}: {first}", fix="see: pairforge validate")

        def kept() -> Iterator[Any]:
            return (row for number, row in enumerate(fixed) if number not in log.dropped)

        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(record) as file:
                file.writelines(map(_encoded, log.lines(source.raw(), "codes")))
            with atomic(path) as file:
                writers.write_lines(kept(), file)
        made.left = Findings(checks.check(kept()), made.written, source=str(path))
    return made


def _require_pairs(shape: formats.Shape, source: PairInput, start: Iterator[Any]) -> None:
    """Raise InputError where the rows are not pairs."""
    name = shlex.quote(source.name or "PAIRS")
    first = next(source.raw(), None)
    if first is None:
        raise InputError(f"{source.name or 'the source'} has no rows", fix="see: pairforge runs list")
    if shape.name == "unknown" and isinstance(first, Skip):
        raise InputError(first.detail, fix=f"see what is wrong with: pairforge validate {name}")
    if shape.name == "unknown":
        raise source.refusal(shape, start)
    if shape.name == "kto":
        what = "these are answers with labels, of which pairs must be made first"
        raise InputError(what, fix=f"pairforge convert {name} pairs.jsonl; then pairforge fix pairs.jsonl OUT")


def _fixed(source: PairInput, shape: formats.Shape, drop_cut: bool, log: ChangeLog) -> Iterator[Any]:
    """Yield each row as it is after its fixes, and at the end drop those that other rows repeat or contradict."""
    checker, digests = RowChecker(_OF_ROWS), Digests()
    for number, row in enumerate(source.raw()):
        made = _as_messages(number, row, shape, log)
        if schema.is_pair(made):
            done = fix_row(made, EDGES)
            made = done.row
            for name, why in done.changes:
                log.change(number, _CODES[name], f"taken off: {why}")
        found = [one for one in checker.see(number, made) if one.severity == "error" or one.code == _EMPTY_TURN]
        if isinstance(made, Skip) and made.reason == "tie":
            log.drop(number, "tie", "no answer is better than another")
        elif found:
            log.drop(number, found[0].code, "; ".join(dict.fromkeys(one.message for one in found)))
        elif drop_cut and (cut := cut_on_one_side(Sides.of(made))):
            log.drop(number, _CUT, cut[0])
        else:
            digests.add(number, Sides.of(made))
        yield made
    rows, first = digests.rows, earliest(digests.pair())
    for place in np.flatnonzero(first != np.arange(len(first))):
        log.drop(int(rows[place]), _TWICE, f"the same pair as row {rows[first[place]]}")
    for number, why in contradictions(digests).items():
        if number not in log.dropped:
            log.drop(number, _CONTRADICTS, why)


def _as_messages(number: int, row: Any, shape: formats.Shape, log: ChangeLog) -> Any:
    """Return the row as a pair of whole conversations; as it is where no shape fits it."""
    if isinstance(row, Skip) or not isinstance(row, Mapping):
        return row
    lost = set[str]()
    own = formats.shape_of([row])
    if own.native and shape.native:  # a prompt beside message lists is in some rows of a set, and not in others
        shape = own
    seen = next(formats.presented([row], replace(shape, native=False), numbered=number, lost=lost))
    if isinstance(seen, Skip):
        other = None if own.name in ("unknown", "kto") else own.pair(row, lost)
        if other is None:
            return row if shape.native else seen
        seen = other
    pair: Any = seen
    if lost:
        log.change(number, "PF109" if lost == {"prompt"} else "shape", f"left out: {', '.join(sorted(lost))}")
    elif shape.native and pair != row:
        log.change(number, "shape", "written as lists of messages, with roles as chat templates name them")
    return pair


def _encoded(line: Mapping[str, Any]) -> bytes:
    """Return a line of the record; a row that no file can hold is in it as a text."""
    try:
        return writers.encoded(line) + b"\n"
    except (ValueError, TypeError):
        as_text = partial(json.dumps, default=str)
        return as_text({**line, "pair": as_text(line["pair"])}).encode() + b"\n"
