"""Tables to rows: CSV and TSV line by line, Parquet and Arrow batch by batch."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..text import one_line, plural
from .json_lines import unreadable
from .stream import (
    PlacedRow,
    Unreadable,
    Wanted,
    check_size,
    is_file,
    lines_of,
    name_of,
    read_rest,
    size,
    too_long,
    utf8,
)

SEPARATORS = {".csv": ",;\t", ".tsv": "\t"}
KINDS = {".parquet": "Parquet", ".arrow": "Arrow"}
_STARTS = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\xff\xff\xff\xff": "Arrow"}
_BATCH = 256
_OLD_LINE_END = re.compile(r"(?<=\r)(?!\n)")


def separator_of(first: bytes, suffix: str, columns: Collection[str]) -> str | None:
    """Return what separates the cells of a table, as the first line shows; None where it is not a table.

    The suffix tells whether it is one, and where there is none, the names in that line.
    """
    line = first.rstrip().decode("utf-8", "replace")
    if suffix:
        return max(SEPARATORS[suffix], key=line.count) if suffix in SEPARATORS else None
    for separator in SEPARATORS[".csv"]:
        names = [name.strip('"') for name in line.lower().split(separator)]
        if len(names) > 1 and {*columns} & {*names} and all(re.fullmatch(r"\w+", name) for name in names):
            return separator
    return None


def csv_rows(stream: io.BufferedReader, name: str, separator: str, wanted: Wanted) -> Iterator[PlacedRow]:
    """Yield what `wanted.cells` makes of each row, by the names that the first line gives; a missing cell is left out.

    A row is named by the line that it starts in. Reading ends at what is not valid CSV.
    """
    reader = csv.reader(_decoded(stream, name, wanted.limit), delimiter=separator, strict=True)
    header: list[str] = []
    line = 1
    try:
        while True:
            before = csv.field_size_limit(wanted.limit)  # one for the whole process: lifted only while a row is read
            try:
                cells = next(reader, None)
            finally:
                csv.field_size_limit(before)
            if cells is None:
                return
            where, line = f"{name}:{line}", reader.line_num + 1
            if not header:
                names = [cell.strip() for cell in cells]
                if repeated := [column for column in names if column and names.count(column) > 1]:
                    what = f"{where}: the column {repeated[0]!r:.80} is repeated"
                    raise InputError(what, fix="name each column once")
                header = names
            elif len(cells) > len(header):
                what = f"{where}: {len(cells)} cells under {plural(len(header), 'name')}"
                yield where, Unreadable("json", what, 'write "..." around each cell')
            elif cells:
                yield where, wanted.cells(dict(zip(header, cells, strict=False)), where)
    except (InputError, csv.Error) as error:
        if not header and type(error) is InputError:
            raise
        yield f"{name}:{line}", unreadable(error, f"{name}:{line}")


def _decoded(stream: io.BufferedReader, name: str, limit: int) -> Iterator[str]:
    for number, offset, line in lines_of(stream, limit):
        if too_long(line, limit):
            raise csv.Error(f"a line over the limit of {size(limit)}")
        text = utf8(line, f"{name}:{number}", offset)
        yield from _OLD_LINE_END.split(text) if "\r" in text[:-2] else [text]


def kind_of(start: bytes, suffix: str) -> str | None:
    """Return Parquet, Arrow or None, by the first bytes of a file, or by its name where these are not JSON."""
    named = None if start.startswith((b"{", b"[")) else KINDS.get(suffix)
    return next((kind for sign, kind in _STARTS.items() if start.startswith(sign)), named)


def arrow_rows(stream: io.BufferedReader, path: Path, kind: str) -> Iterator[PlacedRow]:
    """Yield the rows of a Parquet file, or of an Arrow file or stream, such as `datasets` writes."""
    import pyarrow

    name = name_of(path)
    try:
        whole = pyarrow.OSFile(str(path)) if is_file(path, stream) else pyarrow.BufferReader(read_rest(stream, name))
        with whole as source:
            unpacked, number = 0, count()
            for batch in _parquet(source, name) if kind == "Parquet" else _arrow(source):
                unpacked += max(batch.nbytes, batch.num_rows)  # a row counts, too: it may hold no bytes
                check_size(unpacked, source.size(), name)
                for row in rows_of([batch]):
                    yield f"{name}:row {next(number)}", row
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        what = f"is not a whole {kind} file: {one_line(error, 200)}"
        raise InputError(f"{name} {what}", fix="fetch or write it again") from error


def _parquet(source: Any, name: str) -> Iterator[Any]:
    from pyarrow import parquet

    file = parquet.ParquetFile(source)
    groups = (file.metadata.row_group(index) for index in range(file.metadata.num_row_groups))
    check_size(sum(group.total_byte_size for group in groups), source.size(), name)
    yield from file.iter_batches(_BATCH)


def _arrow(source: Any) -> Iterator[Any]:
    from pyarrow import ipc

    if source.read(6) == b"ARROW1":
        file = ipc.open_file(source)
        batches: Iterable[Any] = (file.get_batch(index) for index in range(file.num_record_batches))
    else:
        source.seek(0)
        batches = ipc.open_stream(source)
    for batch in batches:
        batch.validate(full=True)
        yield batch


def rows_of(batches: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of record batches. Arrow can't tell a missing value from a null: both are left out."""
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH):
            part = batch.slice(start, _BATCH)
            found = part.to_pylist()
            yield from map(_without_nulls, found) if any(map(_nulls, part.columns)) else found


def _nulls(array: Any) -> bool:
    """Return whether there is a null anywhere in the array."""
    inner = array.flatten() if hasattr(array, "flatten") else []
    return array.null_count > 0 or any(map(_nulls, inner if isinstance(inner, list) else [inner]))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
