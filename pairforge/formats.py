"""Pairs to and from files: JSON Lines and JSON arrays (either may be gzipped), and Parquet.

A row that can't be read is a `Skip` with one of the reasons in `UNREADABLE`, and reading goes on behind it; a file that
is none of these formats is an `InputError`.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from .errors import InputError
from .types import Pair, Skip

if TYPE_CHECKING:
    import datasets

MAX_ROW_BYTES = 16 * 2**20
MAX_ARRAY_BYTES = 2 * 2**30
UNREADABLE = ("json", "encoding", "repeated_key", "limit")
_READ = "JSON Lines, a JSON array (either may be .gz) or Parquet"


def read_rows(path: Path) -> Iterator[Any]:
    """The rows of a file, in order. Raises InputError at the first one that can't be read."""
    for row in read(path):
        if isinstance(row, Skip):
            raise InputError(row.detail, fix=f"see all such rows with: pairforge validate {path}")
        yield row


def read(path: Path) -> Iterator[Any]:
    """The rows of a file, in order, each with a Skip in its place where it can't be read ("file:line: what")."""
    try:
        with open(path, "rb") as raw:
            start = raw.peek(4)[:4]
            if start == b"PAR1":
                yield from _parquet(path)
            elif start.startswith(b"\x1f\x8b"):
                yield from _text(io.BufferedReader(gzip.GzipFile(fileobj=raw)), path)
            else:
                yield from _text(raw, path)
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror or error}", fix="name a file of pairs") from error


def features() -> datasets.Features:
    """The columns of `Pair`, in order, as `datasets.Features`."""
    import datasets

    message = {"role": datasets.Value("string"), "content": datasets.Value("string")}
    flat = {str: datasets.Value("string"), float: datasets.Value("float64")}
    types = get_type_hints(Pair)
    return datasets.Features({field.name: flat.get(types[field.name], [message]) for field in fields(Pair)})


def to_dataset(rows: Iterable[Mapping[str, Any]]) -> datasets.Dataset:
    """The rows as a Dataset: the columns of `Pair` in its order and types, then any others by first appearance.

    A column that is missing from some rows is null there; one that no row has is left out. Raises InputError where a
    column mixes types.
    """
    import datasets

    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    known = features()
    types = {name: known[name] for name in known if name in names or not rows}
    columns = {
        name: [row.get(name) for row in rows] for name in (*types, *(name for name in names if name not in known))
    }
    types |= {name: _feature(name, values) for name, values in columns.items() if name not in known}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(types))


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Writes the rows as one Parquet file, whole or not at all; the same rows give the same bytes."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temp, "wb") as file:
            to_dataset(rows).to_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _feature(name: str, values: list[Any]) -> Any:
    import datasets
    import pyarrow

    try:
        schema = pyarrow.table({name: pyarrow.array(values)}).schema
    except (pyarrow.ArrowException, OverflowError) as error:
        raise InputError(
            f"column {name!r} mixes types or holds what Arrow can't: {error}", fix="pairforge validate"
        ) from error
    feature = datasets.Features.from_arrow_schema(schema)[name]
    return datasets.Value("string") if feature == datasets.Value("null") else feature


def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise InputError(f"{path} is not a whole Parquet file: {error}", fix="fetch or write it again") from error


def _text(file: io.BufferedReader, path: Path) -> Iterator[Any]:
    """Rows of a text file, told apart by its first character."""
    try:
        head = file.peek(4)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            yield Skip("encoding", f"{path}:1: UTF-16, not UTF-8, at byte 0")
            return
        bom = len(file.read(3)) if head.startswith(b"\xef\xbb\xbf") else 0
        first = file.peek(1).lstrip()[:1]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not a whole gzip file: {error}", fix="fetch or write it again") from error
    suffix = Path(path.stem if path.suffix == ".gz" else path.name).suffix.lower()
    if first and first not in b"{[" and suffix not in (".json", ".jsonl", ".ndjson"):
        raise InputError(f"{path} is not a file of pairs", fix=f"pairforge reads {_READ}")
    yield from _array(file, path) if first == b"[" else _lines(file, path, bom)


def _lines(file: io.BufferedReader, path: Path, offset: int) -> Iterator[Any]:
    number = 0
    try:
        while line := file.readline(MAX_ROW_BYTES + 1):
            number += 1
            where = f"{path}:{number}"
            if number == 1 and line.strip() == b"{":
                raise InputError(f"{path} holds one JSON object over many lines", fix=f"pairforge reads {_READ}")
            if len(line) > MAX_ROW_BYTES and not line.endswith(b"\n"):
                offset += _pass_over(file)
                yield Skip("limit", f"{where}: a row of more than {MAX_ROW_BYTES >> 20} MB")
            elif line.strip():
                yield _row(line, where, offset)
            offset += len(line)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Skip("json", f"{path}:{number + 1}: the gzip data is cut off or damaged: {error}")


def _pass_over(file: io.BufferedReader) -> int:
    """Reads on to the end of the line; how many bytes that were."""
    passed = 0
    while part := file.readline(MAX_ROW_BYTES):
        passed += len(part)
        if part.endswith(b"\n"):
            break
    return passed


def _row(line: bytes, where: str, offset: int) -> Any:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Skip("encoding", f"{where}: not UTF-8 at byte {offset + error.start} (0x{line[error.start]:02x})")
    decoder = _Decoder()
    try:
        return decoder.checked(decoder.decode(text), where)
    except (ValueError, RecursionError) as error:
        return _unreadable(error, where, len(text.rstrip()))


def _array(file: io.BufferedReader, path: Path) -> Iterator[Any]:
    """The elements of a JSON array, one at a time. Behind one that is no JSON nothing can be told: reading ends."""
    decoder, space = _Decoder(), json.decoder.WHITESPACE  # type: ignore[attr-defined]
    at = number = 1
    try:
        text = _whole(file, path)
        at = space.match(text, text.index("[") + 1).end()
        number += text.count("\n", 0, at)
        while text[at : at + 1] != "]":
            value, end = decoder.raw_decode(text, at)
            large = end - at > MAX_ROW_BYTES
            where = f"{path}:{number}"
            yield (
                Skip("limit", f"{where}: a row of more than {MAX_ROW_BYTES >> 20} MB")
                if large
                else decoder.checked(value, where)
            )
            ahead = space.match(text, end).end()
            if text[ahead : ahead + 1] == ",":
                ahead = space.match(text, ahead + 1).end()
            elif text[ahead : ahead + 1] != "]":
                raise json.JSONDecodeError("Expecting ',' delimiter", text, ahead)
            number += text.count("\n", at, ahead)
            at = ahead
        if text[at + 1 :].strip():
            yield Skip("json", f"{path}:{number}: something follows the end of the array")
    except UnicodeDecodeError as error:
        yield Skip("encoding", f"{path}: not UTF-8 at byte {error.start}")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Skip("json", f"{path}: the gzip data is cut off or damaged: {error}")
    except (ValueError, RecursionError) as error:
        yield _unreadable(error, f"{path}:{number}", len(text.rstrip()))


def _whole(file: io.BufferedReader, path: Path) -> str:
    data = file.read(MAX_ARRAY_BYTES + 1)
    if len(data) > MAX_ARRAY_BYTES:
        raise InputError(f"{path} is an array of more than {MAX_ARRAY_BYTES >> 30} GB", fix="write it as JSON Lines")
    return data.decode("utf-8")


def _unreadable(error: Exception, where: str, length: int) -> Skip:
    if isinstance(error, json.JSONDecodeError):
        cut = error.pos >= length or error.msg.startswith("Unterminated string")
        return Skip("json", f"{where}: {'incomplete JSON' if cut else 'not JSON'}: {error.msg} at column {error.colno}")
    if isinstance(error, RecursionError):
        return Skip("limit", f"{where}: nested too deeply")
    return Skip("limit", f"{where}: a number of too many digits")


class _Decoder(json.JSONDecoder):
    """Notices keys that stand twice in an object: `json` would keep the last, others the first, others crash."""

    def __init__(self) -> None:
        self.repeated: str | None = None
        super().__init__(object_pairs_hook=self._object)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            self.repeated = next(name for name in value if names.count(name) > 1)
        return value

    def checked(self, value: Any, where: str) -> Any:
        """The value just decoded, or a Skip when a key was repeated in it."""
        repeated, self.repeated = self.repeated, None
        return (
            value
            if repeated is None
            else Skip("repeated_key", f"{where}: the key {repeated[:80]!r} stands twice in one object")
        )
