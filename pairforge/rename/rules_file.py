"""Read rules from a file: a JSON object, JSON Lines, CSV, TSV, or lines of text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..readers import near_file
from ..text import plural

_KEYS = (("from", "to"), ("old", "new"))
_READ = (
    'supported: lines such as "old -> new", CSV or TSV of two columns, a JSON object {"old": "new"}, '
    'or JSON Lines of {"from": "old", "to": "new"}'
)
_ARROWS = ("=>", "→", "⇒", "-->", "=", ":")


def read_rules(path: str | Path) -> dict[str, str]:
    """Return the rules of a file, old name to new one. A name that is its own new name is kept as it is.

    Raises InputError, with file:line, where the file can't be read, or a name is empty or given twice.
    """
    path, rules = Path(path), dict[str, str]()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"--rules {path}: not UTF-8 at byte {error.start}", fix="save it as UTF-8") from error
    except FileNotFoundError:
        raise InputError(f"--rules {path}: no such file", fix=near_file(str(path)) or "check the path") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"--rules {path} can't be read: {why}", fix="give the path of a file") from error
    if not text.strip():
        fix = 'write lines such as "Qwen -> Deep Qwen" into it'
        raise InputError(f"--rules {path}: the file has no rules", fix=fix)
    for line, old, new in _parse(path, text):
        if not isinstance(old, str) or not isinstance(new, str):
            raise _error(path, line, f"not two names: {old!r:.60}, {new!r:.60}")
        old, new = old.strip(), new.strip()
        if not old or not new:
            raise _error(path, line, "a name is empty", "give each old name a new one")
        if old in rules:
            raise _error(path, line, f"{old!r} has a rule already", "give each old name one new one")
        rules[old] = new
    if not rules:
        raise InputError(f"--rules {path}: the file has no rules", fix=_READ)
    return rules


def _error(path: Path, line: int, message: str, fix: str = _READ) -> InputError:
    return InputError(f"{path}:{line}: {message}", fix=fix)


def _parse(path: Path, text: str) -> Iterator[tuple[int, Any, Any]]:
    """Yield (line, old, new) as written in the file."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        yield from _parse_object(path, text)
    elif suffix in (".csv", ".tsv"):
        yield from _parse_table(path, text, "," if suffix == ".csv" else "\t")
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            if suffix in (".jsonl", ".ndjson"):
                row = _load_json(path, line, number)
                keys = next((keys for keys in _KEYS if isinstance(row, dict) and row.keys() >= set(keys)), ())
                names = row if isinstance(row, list) else [row[key] for key in keys]
            elif line.startswith("#"):
                continue
            else:
                names = line.split("\t" if "\t" in line.strip() else "->")
            if len(names) != 2:
                arrow = next((arrow for arrow in _ARROWS if arrow in line), "")
                fix = f"write -> , not {arrow}" if arrow and suffix not in (".jsonl", ".ndjson") else _READ
                raise _error(path, number, f"not a rule: {line.strip():.80}", fix)
            yield number, *names


def _parse_object(path: Path, text: str) -> Iterator[tuple[int, Any, Any]]:
    pairs = _load_json(path, text, 1, object_pairs_hook=list)
    if not text.lstrip().startswith("{"):
        raise _error(path, 1, f"a JSON {type(pairs).__name__}, not an object")
    at = 0
    for old, new in pairs:
        # A name may be written with \u escapes and not be found: then the line is that of the rule before.
        at = max(at, text.find(json.dumps(old, ensure_ascii=False), at + 1 if at else 0))
        yield text.count("\n", 0, at) + 1, old, new


def _parse_table(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, Any, Any]]:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        for i, cells in enumerate(filter(None, reader)):
            if len(cells) != 2:
                raise _error(path, reader.line_num, f"{plural(len(cells), 'cell')}, not two")
            if i or tuple(cell.strip().lower() for cell in cells) not in _KEYS:
                yield reader.line_num, cells[0], cells[1]
    except csv.Error as error:
        raise _error(path, reader.line_num, f"not valid CSV: {error}", "correct that line") from error


def _load_json(path: Path, text: str, line: int, **options: Any) -> Any:
    try:
        return json.loads(text, **options)
    except (ValueError, RecursionError) as error:
        raise _error(path, line - 1 + getattr(error, "lineno", 1), f"not valid JSON: {error}") from error
