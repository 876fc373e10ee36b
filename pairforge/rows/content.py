"""One file to rows. What it holds shows in its first bytes; only where these say nothing, in its name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

from ..errors import InputError
from . import jsontext, tables
from .files import BOM, name_of, open_unpacked, read_rest, suffix_of
from .wanted import Row, Wanted

_JSON = (".json", ".jsonl", ".ndjson")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_WRAPPERS = ("data", "rows", "examples", "instances", "items", "prompts", "questions")


def suffixes(text: bool) -> tuple[str, ...]:
    """How the names of files of rows end, before a `PACKED` ending."""
    return (*_JSON, *tables.SEPARATORS, *tables.KINDS, *([".txt"] if text else []))


def readable(text: bool) -> str:
    """The formats that are read, for a message."""
    kinds = "JSON Lines, a JSON array, CSV, TSV (each may be packed: .gz, .zst), Parquet or Arrow"
    return f"lines of text, {kinds}" if text else kinds


def read_file(path: Path, wanted: Wanted) -> Iterator[Row]:
    """The rows of a file."""
    name, suffix = name_of(path), suffix_of(path)
    with open_unpacked(path) as stream:
        if kind := tables.kind_of(stream.peek(8), suffix):
            yield from tables.arrow_rows(stream, path, kind)
        else:
            found = _text(stream, name, suffix, wanted)
            yield from _unwrapped(found, wanted) if wanted.text else found


def _text(stream: io.BufferedReader, name: str, suffix: str, wanted: Wanted) -> Iterator[Row]:
    start = stream.peek(8)
    if start.startswith(_UTF16):
        return islice(jsontext.lines(stream, name, jsontext.text_row, wanted), 1)
    if start.startswith(BOM):
        wanted.noted.add("a byte-order mark")
    start = start.removeprefix(BOM).lstrip()
    if separator := tables.separator_of(next(iter(start.splitlines()), b""), suffix, wanted.columns):
        return tables.csv_rows(stream, name, separator, wanted)
    if start.startswith(b"["):
        return jsontext.values(read_rest(stream, name), name, wanted)
    if suffix in _JSON or (start.startswith(b"{") and not start.startswith(b"{{")):  # an open placeholder
        return jsontext.lines(stream, name, jsontext.Decoder().row, wanted, wanted.text)
    if start and not wanted.text:
        raise InputError(f"{name} is not a file of {wanted.what}", fix=f"read are {readable(wanted.text)}")
    return jsontext.lines(stream, name, jsontext.text_row, wanted)


def _unwrapped(found: Iterator[Row], wanted: Wanted) -> Iterator[Row]:
    """Rows that all stand in a list within one object."""
    start = list(islice(found, 2))
    if len(start) == 1 and isinstance(row := start[0][1], dict) and not any(key in row for key in wanted.columns):
        lists = [value for key in _WRAPPERS if isinstance(value := row.get(key), list)]
        if len(lists) == 1:
            return ((f"{start[0][0]}:row {i}", item) for i, item in enumerate(lists[0]))
    return chain(start, found)
