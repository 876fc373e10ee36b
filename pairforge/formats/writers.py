"""Rows as a table (a `datasets.Dataset`, a Parquet file) and as JSON Lines, a JSON array, CSV.

The same rows give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_type_hints

from ..disk import atomic
from ..errors import InputError
from ..text import one_line
from ..types import Pair

if TYPE_CHECKING:
    import datasets


NUMBERS = ("chosen_score", "rejected_score")
"""The columns of `Pair` that hold numbers."""


def features() -> datasets.Features:
    """Return the columns of `Pair`, in order, as `datasets.Features`."""
    import datasets

    message = {"role": datasets.Value("string"), "content": datasets.Value("string")}
    flat = {str: datasets.Value("string"), float: datasets.Value("float64")}
    types = get_type_hints(Pair)
    return datasets.Features({field.name: flat.get(types[field.name], [message]) for field in fields(Pair)})


def to_dataset(rows: Iterable[Mapping[str, Any]], *, other: Container[str] = ()) -> datasets.Dataset:
    """Return the rows as a Dataset: the columns of `Pair` in its order and types, then any others by first appearance.

    A column that is missing from some rows is null there; one that no row has is left out. `other` names columns of
    `Pair` that have another type here, taken from their values. Raises InputError where a column mixes types.
    """
    import datasets
    import pyarrow

    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: feature for name, feature in features().items() if name not in other}
    types = {name: known[name] for name in known if name in names or not rows}
    columns = {
        name: [row.get(name) for row in rows] for name in (*types, *(name for name in names if name not in known))
    }
    types |= {name: _feature(name, values) for name, values in columns.items() if name not in known}
    try:
        return datasets.Dataset.from_dict(columns, features=datasets.Features(types))
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        what = one_line(error, 200)
        raise InputError(f"a column of the pairs is of another type: {what}", fix="pairforge validate") from error


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path, *, other: Container[str] = ()) -> None:
    """Write the rows as one Parquet file, whole or not at all; the same rows give the same bytes."""
    with atomic(path) as file:
        to_dataset(rows, other=other).to_parquet(file)


def _feature(name: str, values: list[Any]) -> Any:
    import datasets
    import pyarrow

    try:
        schema = pyarrow.table({name: pyarrow.array(values)}).schema
    except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
        raise InputError(
            f"column {name!r:.80} mixes types or holds what Arrow can't: {error}", fix="pairforge validate"
        ) from error
    feature = datasets.Features.from_arrow_schema(schema)[name]
    return datasets.Value("string") if feature == datasets.Value("null") else feature


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet runs as a formula."""


def encoded(row: Mapping[str, Any]) -> bytes:
    """Return the row as JSON. Raises ValueError for NaN, infinity and half a surrogate pair, TypeError for bytes."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Dates, times and decimals, as Arrow has them, are texts in JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes")
    return str(value)


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


def write_csv(rows: Iterable[Mapping[str, Any]], file: IO[bytes], columns: Sequence[str]) -> None:
    """Write CSV: lists and objects as JSON, a cell that a spreadsheet would run begins with an apostrophe."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)  # with its own line ends, \r\n: it quotes only what holds a character of these
    writer.writerow(map(_harmless, columns))
    for row in rows:
        cells = (row.get(name) for name in columns)
        writer.writerow(
            _harmless(cell or "")
            if cell is None or isinstance(cell, str)
            else json.dumps(cell, ensure_ascii=False, allow_nan=False, default=_plain)
            for cell in cells
        )
    text.detach()


def is_formula(value: Any) -> bool:
    """Return whether a spreadsheet would run the text of a cell."""
    return isinstance(value, str) and value.startswith(FORMULA)


def _harmless(text: str) -> str:
    return f"'{text}" if is_formula(text) else text
