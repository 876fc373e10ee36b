"""Rows to a file: JSON Lines, a JSON array, CSV. The same rows give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs as a formula."""


def encoded(row: Mapping[str, Any]) -> bytes:
    """The row as JSON. Raises ValueError for NaN, infinity and half a surrogate pair, TypeError for bytes."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Dates, times and decimals, as Arrow has them, are texts in JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes")
    return str(value)


def write_lines(rows: Iterable[Mapping[str, Any]], file: IO[bytes]) -> None:
    """JSON Lines."""
    for row in rows:
        file.write(encoded(row) + b"\n")


def write_array(rows: Iterable[Mapping[str, Any]], file: IO[bytes]) -> None:
    """One JSON array, a row a line."""
    before = b"[\n"
    for row in rows:
        file.write(before + encoded(row))
        before = b",\n"
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_csv(rows: Iterable[Mapping[str, Any]], file: IO[bytes], columns: Sequence[str]) -> None:
    """CSV: lists and objects as JSON, a cell that a spreadsheet would run begins with an apostrophe."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)  # with its own line ends, \r\n: it quotes only what holds a character of these
    writer.writerow(map(_harmless, columns))
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    text.detach()


def is_formula(value: Any) -> bool:
    """Whether a spreadsheet would run the text of a cell."""
    return isinstance(value, str) and value.startswith(FORMULA)


def _harmless(text: str) -> str:
    return f"'{text}" if is_formula(text) else text


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return _harmless(value or "")
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
