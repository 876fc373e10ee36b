"""The verb `fix`: pairs of any shape to sound pairs of one shape, with a reason for each row that changed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from .. import checks, formats
from ..checks import schema
from ..checks.duplicates import Digests, contradictions, repeated
from ..checks.fixes import EDGES, cut_on_one_side, fix_row
from ..checks.row import Sides
from ..checks.rule import OF_ROWS
from ..checks.runner import RowChecker
from ..console import table
from ..errors import InputError
from ..formats import kto
from ..formats.context import MisfitError
from ..notebook import HtmlRepr
from ..options.declaration import keywords
from ..options.pairs import FixOptions
from ..readers.spool import RowSpool
from ..text import and_others, plural, visible
from ..types import Skip
from .change_log import ChangeLog, KeptRows, write_with_record
from .inputs import PairInput, check_output
from .validate_result import Findings

_EMPTY_TURN, _CUT, _TWICE, _CONTRADICTS = "PF115", "PF111", "PF202", "PF203"
_CODES = {"tokens": "PF108", "spaces": "PF302"}
"""The codes of what is taken off the edges of answers."""
_CHECKED = [code for code, one in checks.RULES.items() if one.over in OF_ROWS]


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
        lines = [
            (what, str(len(rows)), code, f"row {rows[0][0]}", and_others([why for _, why in rows]))
            for what, by_code in self.log.by_remedy().items()
            for code, rows in by_code.items()
        ]
        if lines:
            yield table("", ("", "rows", "code", "first", "why"), lines)
        yield visible(f"{self.output}: {self._summary()}")
        if lines:
            yield visible(f"{self.record}: each row that was dropped or changed, with the reason")
        kinds = Counter(one.severity for one in self.left)
        if errors := sorted({one.code for one in self.left if one.severity == "error"}):
            yield f"still wrong: {', '.join(errors)}, which only you can decide on"
        yield f"checked again: {plural(kinds['error'], 'error')}, {plural(kinds['warning'], 'warning')}"
        name = shlex.quote(str(self.output))
        yield visible(f"next: pairforge {'shortcuts' if self.ok else 'validate'} {name}")


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
    with PairInput.of(options) as source:
        return fix_input(source, Path(options.out), options.drop_cut, options.overwrite)


def fix_input(source: PairInput, path: Path, drop_cut: bool = False, overwrite: bool = False) -> FixedPairs:
    """Write the pairs of a source whose rows can be read again, as `fix` does."""
    record = path.with_name(f"{path.stem}.fixes.jsonl")
    for written in (path, record):
        check_output(written, (".jsonl", ".ndjson"), source, overwrite=overwrite)
    with ExitStack() as stack:
        shape, start = source.recognised()
        _require_pairs(shape, source, list(islice(start, formats.LOOKED_AT)))
        log = ChangeLog()
        fixed = stack.enter_context(RowSpool(_fixed(source, shape, drop_cut, log)))
        made = FixedPairs(path, record, shape.name, len(fixed), len(fixed) - len(log.dropped), log)
        if not made.written:
            first = next(iter(log.dropped.values()), ("", "there are no rows"))[1]
            rows = plural(len(fixed), "row")
            raise InputError(f"nothing would be left of {rows}: {first}", fix=f"see: pairforge validate {source.word}")
        kept = KeptRows(fixed, log.dropped)
        write_with_record(path, kept, record, log.lines(source.raw(), "codes"))
        made.left = Findings(checks.check(kept), made.written, source=str(path))
    return made


def _require_pairs(shape: formats.Shape, source: PairInput, start: Sequence[Any]) -> None:
    """Raise InputError where the rows are not pairs."""
    if not start:
        raise InputError(f"{source.name or 'the source'} has no rows", fix="give a file with pairs")
    source.require_pairs(shape, start)
    if shape.name == kto.NAME:
        what = "these are answers with labels, of which pairs must be made first"
        raise InputError(what, fix=f"pairforge convert {source.word} pairs.jsonl; then pairforge fix pairs.jsonl OUT")


def _fixed(source: PairInput, shape: formats.Shape, drop_cut: bool, log: ChangeLog) -> Iterator[Any]:
    """Yield each row as it is after its fixes, and at the end drop those that other rows repeat or contradict."""
    checker, digests = RowChecker(_CHECKED), Digests()
    for number, row in enumerate(source.raw()):
        made = _as_messages(number, row, shape, log)
        if schema.is_pair(made):
            done = fix_row(made, EDGES)
            made = done.row
            for name, why in done.changes:
                log.change(number, _CODES[name], f"taken off: {why}")
        found = [one for one in checker.see(number, made) if one.severity == "error" or one.code == _EMPTY_TURN]
        if isinstance(made, Skip) and made.reason in formats.NO_PAIR:
            log.drop(number, made.reason, made.detail.partition(": ")[2])
        elif found:
            log.drop(number, found[0].code, "; ".join(dict.fromkeys(one.message for one in found)))
        elif drop_cut and (cut := cut_on_one_side(Sides.of(made))):
            log.drop(number, _CUT, cut[0])
        else:
            digests.add(number, Sides.of(made))
        yield made
    for number, why in repeated(digests):
        log.drop(number, _TWICE, why)
    for number, why in contradictions(digests).items():
        if number not in log.dropped:
            log.drop(number, _CONTRADICTS, why)


def _as_messages(number: int, row: Any, shape: formats.Shape, log: ChangeLog) -> Any:
    """Return the row as a pair of whole conversations; as it is where no shape fits it."""
    if not isinstance(row, Mapping):
        return row
    lost = set[str]()
    try:
        made = formats.pairs_in(row, shape, lost, "best-worst")
    except MisfitError as error:
        return row if shape.native else formats.Misfit.of(number, error)
    if not made:
        return formats.tie(number)
    if lost:
        log.change(number, "PF109" if lost == {"prompt"} else "shape", f"left out: {', '.join(sorted(lost))}")
    elif shape.native and made[0] != row:
        log.change(number, "shape", "written as lists of messages, with roles as chat templates name them")
    return made[0]
