"""The verb `validate`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

from .. import checks, formats, prompts
from ..checks.fixes import Fixes
from ..checks.row import Sides, well_shaped
from ..checks.runner import ENOUGH
from ..checks.shortcuts.audit import ShortcutChecker as ShortcutWatch
from ..checks.tokenized import TokenizedChecker
from ..disk import atomic, write_errors
from ..errors import InputError
from ..formats import writers
from ..options import PairData
from ..readers.stream import MAX_ROW_BYTES
from ..tokenization import MAX_LENGTH
from ..types import Finding, Message, Prompt
from .inputs import PairInput, check_output
from .models import as_tuple, open_tokenizer
from .parallel import checked
from .validate_result import Explanation, Findings, Fixed

FORMATS = ("table", "github")


def validate(
    data: PairData = None,
    *,
    strict: bool = False,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    against: PairData = None,
    model: str | None = None,
    revision: str | None = None,
    max_length: int = MAX_LENGTH,
    fix: str | PathLike[str] | None = None,
    explain: str | None = None,
    max_row_bytes: int = MAX_ROW_BYTES,
    jobs: int = 1,
    format: str = "table",
    output: str | None = None,
    quiet: bool = False,
) -> Findings:
    """What is wrong with the pairs of a run folder or file, or with rows; nothing found is an empty list.

    `data` is whatever `formats.read` takes, None the latest run, or rows: a list, an iterator, a `datasets.Dataset`.
    Rows of a foreign shape are looked at as the pairs they become. A row that can't be read is a finding, too.

    `select` and `ignore` name codes or beginnings of codes ("PF1"); `strict` makes warnings fail. `against` are pairs
    or prompts that must not be trained on (PF209, PF211). With `model`, a Hub id or a folder, the rows are looked at as
    training on it with `max_length` sees them, too (PF4xx); with `select` "PF3" what `shortcuts` finds is a warning.
    `fix` names a file to write what can be mended without a decision; the source stays as it is. A row of more than
    `max_row_bytes` is not looked into (PF004). `jobs` processes look at the rows (0: one a processor core). `explain`
    tells why a code matters, and looks at nothing. `format` is "table" or, for the checks of a pull request, "github".

    Raises InputError for a source or an option that can't be used.
    """
    if explain is not None:
        return Explanation(_known(explain))
    if format not in FORMATS:
        raise InputError(f"--format {format!r:.40} is none of {', '.join(FORMATS)}", fix="e.g. --format github")
    codes = _codes(select, ignore, model is not None)
    source = PairInput(data, output, quiet=quiet)
    noted = set[str]()
    rows = _CountedRows(source.presented(max_row_bytes, noted))
    other = None if against is None else _against(against)
    watch = open_tokenizer(model, revision, quiet).watch(max_length) if model is not None else None
    path = None if fix is None else _place(Path(fix))
    fixes = Fixes()
    with ExitStack() as stack:
        passed: Iterable[Any] = rows
        if path is not None:
            stack.enter_context(write_errors(path))
            passed = _written(rows, fixes, stack.enter_context(atomic(path)))
        cues = _cues(codes, source)
        if cues:
            passed = _shown(passed, cues)
        seen = chain(_looked_at(passed, codes, other, jobs, watch), _of_lines(noted, codes), _found(cues, codes))
        findings = Findings(seen, strict=strict, source=source.name, format=format)
        for _ in passed if path is not None else ():  # a check that ends early leaves rows behind
            pass
    findings.rows = rows.count
    if path is not None:
        findings.fixed = Fixed(str(path), fixes.kept, fixes.dropped, fixes.changed)
    return findings


def _looked_at(
    rows: Iterable[Any], codes: frozenset[str], other: checks.Against | None, jobs: int, watch: TokenizedChecker | None
) -> Iterator[Finding]:
    """All findings, those that need a model last."""
    if watch is None:
        return _look(rows, codes, other, jobs)
    seen = _look(watch.passing(rows), codes, other, jobs)
    return chain(seen, (one for one in watch.found if one.code in codes))


def _cues(codes: frozenset[str], source: PairInput) -> ShortcutWatch | None:
    """What looks for shortcuts, if that is asked for; a correction run tells by itself what is meant to differ."""
    wanted = any(code.startswith("PF3") for code in codes)
    return ShortcutWatch(source.new_names) if wanted else None


def _shown(rows: Iterable[Any], cues: ShortcutWatch) -> Iterator[Any]:
    """The rows as they are, while the pairs among them are kept in mind."""
    for index, row in enumerate(rows):
        if well_shaped(row):
            cues.add(index, Sides.of(row))
        yield row


def _found(cues: ShortcutWatch | None, codes: frozenset[str]) -> Iterator[Finding]:
    if cues:
        yield from (one for one in cues.findings() if one.code in codes)


def _of_lines(noted: set[str], codes: frozenset[str]) -> Iterator[Finding]:
    """What was noted while the file was read: asked for last."""
    if "PF212" in codes:
        yield from checks.RULES["PF212"].findings(None, noted)


def _look(rows: Iterable[Any], codes: frozenset[str], other: checks.Against | None, jobs: int) -> Iterator[Finding]:
    if jobs < 0:
        raise InputError(f"--jobs {jobs}: less than none", fix="--jobs 0 uses every processor core")
    jobs = jobs or os.cpu_count() or 1
    stream = iter(rows)
    start = list(islice(stream, ENOUGH))
    if jobs == 1 or len(start) < ENOUGH or checks.all_strange(start):
        return checks.check(chain(start, stream), codes, other)
    return checked(chain(start, stream), codes, other, jobs)


def _written(rows: Iterable[Any], fixes: Fixes, file: Any) -> Iterator[Any]:
    """The rows as they are, while what `fixes` makes of each is written."""
    for row in rows:
        for mended in fixes.mended([row]):
            try:
                line = writers.encoded(mended)
            except (ValueError, TypeError):  # NaN, half a surrogate pair: as they were, for the check to tell again
                line = json.dumps(mended, default=str).encode()
            file.write(line + b"\n")
        yield row


def _place(path: Path) -> Path:
    check_output(path, (".jsonl", ".ndjson"), overwrite=None)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _codes(select: Sequence[str], ignore: Sequence[str], model: bool) -> frozenset[str]:
    """The codes that are looked for: those of the rows and of the set, but for what is left out."""
    wanted, left = (
        {part.strip() for name in as_tuple(names) for part in name.split(",")} - {""} for names in (select, ignore)
    )
    costly = {"PF3": any(name.startswith("PF3") for name in wanted), "PF4": model}
    own = [code for code in checks.RULES if costly.get(code[:3], True)]
    for name in (*wanted, *left):
        if not any(code.startswith(name) for code in checks.RULES):
            raise InputError(f"no check is called {name!r:.40}", fix="their codes: docs/checks.md")
    for name in wanted:
        if not any(code.startswith(name) for code in own):
            raise InputError(f"validate does not look for {name} here", fix="add --model")
    chosen = [code for code in own if not wanted or code.startswith(tuple(wanted))]
    return frozenset(code for code in chosen if not (left and code.startswith(tuple(left))))


def _known(code: str) -> str:
    if code not in checks.RULES:
        raise InputError(f"no check is called {code!r:.40}", fix="their codes: docs/checks.md")
    return code


def _against(source: PairData) -> checks.Against:
    """The questions of pairs, or of prompts in any shape."""
    name = str(source)
    if name not in prompts.BUNDLED:
        given = PairInput(source)
        if given.path is None:
            pairs = [_context(row) for row in given.presented()]
            return checks.Against([turns for turns in pairs if turns], "the other rows")
        shape, rows = formats.recognise(given.raw())
        if shape.name != "unknown":
            contexts = [_context(row) for row in formats.presented(rows)]
            return checks.Against(contexts, name)
    asked = [one.messages if isinstance(one, Prompt) else () for one in prompts.read_prompts(name, history="full")]
    return checks.Against(asked, name)


def _context(row: Any) -> Sequence[Message]:
    """The messages before the answers; none where the row is no pair."""
    if isinstance(row, Mapping) and isinstance(row.get("messages"), list) and "chosen" not in row:
        return [turn for turn in row["messages"] if isinstance(turn.get("content"), str)]
    return Sides.of(row).context if well_shaped(row) else ()


class _CountedRows:
    """Rows that are counted as they go by, and read once."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = iter(rows)
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self.count += 1
            yield row
