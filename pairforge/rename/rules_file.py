"""Reads rules from a file: a JSON object, JSON Lines, CSV, TSV, or lines of text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError

_KEYS = (("from", "to"), ("old", "new"))
_READ = (
    'read are a JSON object {"old": "new"}, JSON Lines of {"from": "old", "to": "new"}, CSV and TSV of two columns,'
    ' and lines such as "old -> new"'
)


def read_rules(path: str | Path) -> dict[str, str]:
    """The rules of a file, old name to new one. A name that is its own new name is kept as it is.

    Raises InputError, with file:line, where the file can't be read, or a name is empty or given twice.
    """
    rules: dict[str, str] = {}
    for line, old, new in _rules(_text(Path(path)), Path(path)):
        where = f"{path}:{line}"
        if not isinstance(old, str) or not isinstance(new, str):
            raise InputError(f"{where}: not two names: {old!r:.60}, {new!r:.60}", fix=_READ)
        old, new = old.strip(), new.strip()
        if not old or not new:
            raise InputError(f"{where}: a name is empty", fix="give each old name a new one")
        if old in rules:
            raise InputError(f"{where}: {old!r} has a rule already", fix="give each old name one new one")
        rules[old] = new
    if not rules:
        raise InputError(f"{path}: no rules", fix=_READ)
    return rules


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}", fix="save it as UTF-8") from error
    except (OSError, ValueError) as error:
        raise InputError(f"rules: can't read {path}: {getattr(error, 'strerror', None) or error}", fix=_READ) from error


def _rules(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    """(line, old, new), as they stand in the file."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        yield from _object(text, path)
    elif suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(text, path)
    elif suffix in (".csv", ".tsv"):
        yield from _table(text, path, "," if suffix == ".csv" else "\t")
    else:
        yield from _lines(text, path)


def _object(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}:{getattr(error, 'lineno', 1)}: not valid JSON: {error}", fix=_READ) from error
    if not text.lstrip().startswith("{"):
        raise InputError(f"{path}:1: a JSON {type(pairs).__name__}, not an object", fix=_READ)
    at = 0
    for old, new in pairs:
        # The same name may stand there in another spelling, with \u escapes: then the line is that of the rule before.
        at = max(at, text.find(json.dumps(old, ensure_ascii=False), at + 1 if at else 0))
        yield text.count("\n", 0, at) + 1, old, new


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    for number, line in _filled(text):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: not valid JSON: {error}", fix=_READ) from error
        if isinstance(row, list) and len(row) == 2:
            yield number, row[0], row[1]
        elif isinstance(row, dict) and (keys := next((keys for keys in _KEYS if set(keys) <= set(row)), None)):
            yield number, row[keys[0]], row[keys[1]]
        else:
            raise InputError(f"{path}:{number}: no rule: {line:.80}", fix=_READ)


def _table(text: str, path: Path, separator: str) -> Iterator[tuple[int, Any, Any]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    try:
        for i, cells in enumerate(filter(None, reader)):
            if len(cells) != 2:
                raise InputError(f"{path}:{reader.line_num}: {len(cells)} cells, not two", fix=_READ)
            if i or tuple(cell.strip().lower() for cell in cells) not in _KEYS:
                yield reader.line_num, cells[0], cells[1]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not valid CSV: {error}", fix="mend that line") from error


def _lines(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    for number, line in _filled(text):
        if line.startswith("#"):
            continue
        names = line.split("\t" if "\t" in line.strip() else "->")
        if len(names) != 2:
            raise InputError(f"{path}:{number}: no rule: {line:.80}", fix=_READ)
        yield number, names[0], names[1]


def _filled(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
