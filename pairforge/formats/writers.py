"""Rows as a table (a `datasets.Dataset`, a Parquet file) and as JSON Lines, a JSON array, CSV.

The same rows give the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_type_hints

from ..disk import atomic
from ..errors import InputError
from ..text import one_line
from ..types import Pair, Skip

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


def to_dataset(rows: Iterable[Mapping[str, Any]]) -> datasets.Dataset:
    """Return the rows as a Dataset: the columns of `Pair` in its order and types, then any others by first appearance.

    A column that is missing from some rows is null there; one that no row has is left out. A side that is one message
    in the first row is one in all. Raises InputError where a column mixes types.
    """
    import datasets
    import pyarrow

    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    first = rows[0] if rows else {}
    known = {name: feature for name, feature in features().items() if not isinstance(first.get(name), Mapping)}
    order = {name: None for name in known if name in names or not rows} | names
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in order}
    for name in ("prompt", "messages", "chosen", "rejected", "tools"):
        if name in columns and not all(map(_holds_texts, columns[name])):
            known.pop(name, None)
            columns[name] = _of_one_type(columns[name])
    types = {name: known.get(name) or _feature(name, values) for name, values in columns.items()}
    schema = datasets.Features(types).arrow_schema
    columns = {name: _array(values, schema.field(name).type) for name, values in columns.items()}
    try:
        return datasets.Dataset.from_dict(columns, features=datasets.Features(types))
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        what = one_line(error, 200)
        raise InputError(f"a column of the pairs is of another type: {what}", fix="pairforge validate") from error


def _holds_texts(value: Any) -> bool:
    """Return whether a value of a column of messages holds texts only: {role, content} each, or is a text itself."""
    return not isinstance(value, list) or all(
        isinstance(turn, Mapping) and len(turn) == 2 and isinstance(turn.get("content"), str) for turn in value
    )


def _of_one_type(values: list[Any]) -> list[Any]:
    """Return a column of messages or tools as a table can hold it: one type a column, the same keys in all messages.

    Definitions of tools and the arguments of calls become JSON, as trainers read them too; a text among typed parts
    becomes a part. A key that a message lacks is null.
    """
    turns = [turn for value in values for turn in _mappings(value)]
    if any("function" in one or "parameters" in one for one in turns):
        return [
            json.dumps(value, ensure_ascii=False, default=_plain) if value is not None else None for value in values
        ]
    parts = any(isinstance(turn.get("content"), list) for turn in turns)
    keys = dict.fromkeys(key for turn in turns for key in turn)
    calls = dict.fromkeys(key for turn in turns for call in _mappings(turn.get("tool_calls")) for key in call)
    made: list[Any] = []
    for value in values:
        if not isinstance(value, list):
            made.append(value)
            continue
        whole = [{key: turn.get(key) for key in keys} if isinstance(turn, Mapping) else turn for turn in value]
        for turn in _mappings(whole):
            if parts and isinstance(turn.get("content"), str):
                turn["content"] = [{"type": "text", "text": turn["content"]}]
            if turn.get("tool_calls"):
                turn["tool_calls"] = [
                    _call_of_one_type({key: call.get(key) for key in calls}) for call in turn["tool_calls"]
                ]
        made.append(whole)
    return made


def _mappings(values: Any) -> list[Any]:
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []


def _call_of_one_type(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, Mapping) or isinstance(function.get("arguments"), str):
        return call
    arguments = json.dumps(function.get("arguments"), ensure_ascii=False, default=_plain)
    return {**call, "function": {**function, "arguments": arguments}}


def _array(values: list[Any], type_: Any) -> Any:
    """Return the values as an array; as they are where they must be converted, which `datasets` does."""
    import pyarrow

    try:
        return pyarrow.array(values, type_)
    except (pyarrow.ArrowException, TypeError, ValueError, OverflowError):
        return values


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write the rows as one Parquet file, whole or not at all; the same rows give the same bytes."""
    with atomic(path) as file:
        to_dataset(rows).to_parquet(file)


def _feature(name: str, values: list[Any]) -> Any:
    import datasets
    import pyarrow

    try:
        schema = pyarrow.table({name: pyarrow.array(values)}).schema
    except (pyarrow.ArrowException, OverflowError, UnicodeEncodeError) as error:
        what = f"column {name!r:.80} mixes types or holds what Arrow can't: {error}"
        raise InputError(what, fix="pairforge validate") from error
    feature = datasets.Features.from_arrow_schema(schema)[name]
    return datasets.Value("string") if feature == datasets.Value("null") else feature


def encoded(row: Mapping[str, Any]) -> bytes:
    """Return the row as JSON. Raises ValueError for NaN, infinity and half a surrogate pair, TypeError for bytes."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: Any) -> Any:
    """Dates, times and decimals, as Arrow has them, are texts in JSON."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError("bytes")
    return str(value)


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
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
