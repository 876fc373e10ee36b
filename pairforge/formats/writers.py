"""Rows as a table (a `datasets.Dataset`) and as JSON Lines, a JSON array, CSV.

The same rows give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any

from ..types import Skip
from .table_schema import TableSchema, as_text

if TYPE_CHECKING:
    import datasets


def to_dataset(rows: Iterable[Mapping[str, Any]]) -> datasets.Dataset:
    """Return the rows as a Dataset: the columns of `Pair` in its order and types, then any others by first appearance.

    A column that is missing from some rows is null there; one that no row has is left out. Raises InputError where a
    column mixes types.
    """
    import datasets
    import pyarrow

    rows, columns = [*rows], TableSchema()
    columns.learn(rows)
    return datasets.Dataset(pyarrow.Table.from_batches([columns.batch(rows)]))


def encoded(row: Mapping[str, Any]) -> bytes:
    """Return the row as JSON. Raises ValueError for NaN, infinity and half a surrogate pair, TypeError for bytes."""
    return _ENCODER.encode(row).encode()


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=as_text)


def fault(row: Mapping[str, Any], is_text: bool) -> Skip | None:
    """Return why the row can't be in a file: a number that JSON lacks, half a surrogate pair, bytes in a text file."""
    try:
        encoded(row)
    except UnicodeEncodeError:
        return Skip("encoding", "half of a surrogate pair, which no UTF-8 file can hold")
    except ValueError:
        return Skip("not_finite", "a number that is NaN or infinite, which JSON can't hold")
    except TypeError:
        return Skip("bytes", "bytes, which only .parquet can hold") if is_text else None
    return None


def write_lines(rows: Iterable[Mapping[str, Any]], file: IO[bytes]) -> None:
    """Write JSON Lines."""
    for row in rows:
        file.write(encoded(row) + b"\n")


def write_array(rows: Iterable[Mapping[str, Any]], file: IO[bytes]) -> None:
    """Write one JSON array, a row a line."""
    before = b"[\n"
    for row in rows:
        file.write(before + encoded(row))
        before = b",\n"
    file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_csv(rows: Iterable[Mapping[str, Any]], file: IO[bytes]) -> None:
    """Write rows of the same columns as CSV: lists and objects as JSON, with an apostrophe before a formula."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)  # with its own line ends, \r\n: it quotes only what holds a character of these
    for number, row in enumerate(rows):
        if not number:
            writer.writerow(map(_cell, row))
        writer.writerow(map(_cell, row.values()))
    text.detach()


def is_formula(value: Any) -> bool:
    """Return whether a spreadsheet would run the text of a cell."""
    return isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return f"'{value}" if is_formula(value) else value or ""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=as_text)
