"""The Parquet files of a config, written as a stream of rows, and what its manifest says about them."""

from __future__ import annotations

import heapq
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from ..conversation import context_of, written
from ..disk import sha256_of, write_errors
from ..formats.table_schema import TableSchema
from ..markdown import public_name, shortened
from ..readers.spool import batched
from ..types import Row
from .manifest import ConfigKind, DataConfig, DataFile, DataSplit, RowsDigest, canonical

if TYPE_CHECKING:
    import pyarrow

_ROWS = 256  # that are a batch
_ROW_GROUP = 32 << 20  # bytes of Arrow; less in the file
_SHARD = 500 << 20  # bytes of the largest file
_NAMES = 100  # models, judges or methods that a manifest names
_EXAMPLES, _TURNS = 3, 6


def write_config(
    rows: Callable[[], Iterable[Row]],
    kind: ConfigKind,
    folder: Path,
    split_of: Callable[[Row], str] = lambda _: "train",
) -> DataConfig:
    """Write rows as Parquet files in a folder, which is made for the first, and return what they are.

    Memory doesn't grow with the number of rows, but for their lengths, and `rows` is mostly called once. It is called
    again where late rows have other columns, or other types, than those that were written before.

    Raises InputError where a column mixes types, OutsideError where the disk is full.
    """
    table = TableSchema()
    while True:
        writer, changed = _ConfigWriter(folder, table), False
        for number, part in enumerate(batched(rows(), _ROWS)):
            batch = [*map(public_row, part)]
            changed |= table.learn(batch) and number > 0
            if not changed:
                writer.write(batch, split_of)
        if not changed:
            return writer.finish(kind)
        writer.remove()


def read_back(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Parquet file."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=_ROWS):
            yield from batch.to_pylist()


def public_row(row: Row) -> Row:
    """Return a row without the folders and servers of this machine in the names of its model and its judge."""
    named = {name: _shown(row[name]) for name in ("model", "judge") if isinstance(row.get(name), str)}
    return row if all(row[name] == text for name, text in named.items()) else {**row, **named}


_shown = cache(public_name)


class _Shards:
    """The files of one split."""

    def __init__(self, folder: Path, split: str, schema: pyarrow.Schema) -> None:
        self._folder, self._split, self._schema = folder, split, schema
        self._batches: list[pyarrow.RecordBatch] = []
        self._held = 0
        self._writer: Any = None
        self.paths: list[Path] = []
        self.rows: list[int] = []

    def write(self, batch: pyarrow.RecordBatch) -> None:
        self._batches.append(batch)
        self._held += batch.nbytes
        if self._held >= _ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a row group, and end the file if another one might make it too large."""
        import pyarrow
        import pyarrow.parquet

        if self._batches:
            if self._writer is None:
                self.paths.append(self._folder / f"{self._split}-{len(self.paths):05d}.parquet")
                self.rows.append(0)
                self._file = self.paths[-1].open("wb")
                self._writer = pyarrow.parquet.ParquetWriter(
                    self._file, self._schema, use_content_defined_chunking=True, write_page_index=True
                )
            group = pyarrow.Table.from_batches(self._batches)
            self._writer.write_table(group, row_group_size=max(1, len(group)))
            self.rows[-1] += len(group)
            self._batches, self._held = [], 0
        if self._writer is not None and self._file.tell() + _ROW_GROUP > _SHARD:
            self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._file.close()
            self._writer = None

    def finish(self) -> DataSplit:
        """Give the files their names, now that their number is known."""
        self.flush()
        self.close()
        made = []
        for number, (path, rows) in enumerate(zip(self.paths, self.rows, strict=True)):
            named = path.with_name(f"{self._split}-{number:05d}-of-{len(self.paths):05d}.parquet")
            path.rename(named)
            made.append(DataFile(f"{named.parent.name}/{named.name}", rows, named.stat().st_size, sha256_of(named)))
        return DataSplit(sum(self.rows), tuple(made))


class _ConfigWriter:
    def __init__(self, folder: Path, table: TableSchema) -> None:
        self._folder, self._table = folder, table
        self._shards: dict[str, _Shards] = {}
        self._digest, self._tally = RowsDigest(), _Tally()

    def write(self, rows: Iterable[Row], split_of: Callable[[Row], str]) -> None:
        by_split: dict[str, list[Row]] = {}
        for row in rows:
            by_split.setdefault(split_of(row), []).append(row)
        with write_errors(self._folder):
            for split, part in by_split.items():
                self._add(split, part)

    def _add(self, split: str, rows: Sequence[Row]) -> None:
        if split not in self._shards:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._shards[split] = _Shards(self._folder, split, self._table.schema)
        if self._table.as_is:
            lines = [*map(canonical, rows)]
            batch = self._table.batch_of_json(lines)
        else:
            batch = self._table.batch(rows)
            rows = batch.to_pylist()
            lines = [*map(canonical, rows)]
        for row, line in zip(rows, lines, strict=True):
            self._digest.add_line(line, split)
            self._tally.add(row, line)
        self._shards[split].write(batch)

    def finish(self, kind: ConfigKind) -> DataConfig:
        with write_errors(self._folder):
            splits = {name: self._shards[name].finish() for name in sorted(self._shards, reverse=True)}
        tally = self._tally
        rows = sum(split.rows for split in splits.values())
        return DataConfig(
            kind,
            rows,
            self._digest.hexdigest(),
            splits,
            features_of(self._table.schema),
            models=tuple({"name": name, "revision": None} for name in tally.named("model")),
            judges=tally.named("judge"),
            methods=tally.named("method"),
            statistics=tally.lengths.statistics() if kind == "pairs" else {},
            examples=tally.examples() if kind == "pairs" else (),
        )

    def remove(self) -> None:
        for shards in self._shards.values():
            shards.close()
            for path in shards.paths:
                path.unlink()


@dataclass
class AnswerLengths:
    """How many pairs have which number of characters in the last turn of a side, and which number of turns."""

    characters: dict[str, Counter[int]] = field(default_factory=dict)
    turns: Counter[int] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count a row, if it is a pair."""
        for side in ("chosen", "rejected"):
            if isinstance(turns := row.get(side), list) and turns:
                self.characters.setdefault(side, Counter())[len(written(turns[-1]))] += 1
        if isinstance(turns := row.get("chosen"), list):
            self.turns[len(turns)] += 1

    def statistics(self) -> dict[str, Any]:
        """Return mean and median of each side, and the number of pairs by turns."""
        made: dict[str, Any] = {}
        for side, lengths in self.characters.items():
            found, pairs = sorted(lengths), lengths.total()
            mean = sum(length * count for length, count in lengths.items()) / pairs
            middle = found[bisect([*accumulate(map(lengths.__getitem__, found))], pairs // 2)]
            made[f"{side}_characters"] = {"mean": round(mean, 1), "median": middle}
        return made | {"turns": {str(number): self.turns[number] for number in sorted(self.turns)}}


@dataclass
class _Tally:
    """Running counts of rows: names, lengths, and those rows with the smallest checksums as examples."""

    names: dict[str, Counter[str]] = field(default_factory=dict)
    lengths: AnswerLengths = field(default_factory=AnswerLengths)
    chosen: list[tuple[int, int, Row]] = field(default_factory=list)
    count: int = 0

    def add(self, row: Row, line: bytes) -> None:
        self.count += 1
        for name in ("model", "judge", "method"):
            if value := row.get(name):
                self.names.setdefault(name, Counter())[str(value)] += 1
        self.lengths.add(row)
        item = (-crc32(line), -self.count, row)
        if len(self.chosen) < _EXAMPLES:
            heapq.heappush(self.chosen, item)
        elif item > self.chosen[0]:
            heapq.heapreplace(self.chosen, item)

    def named(self, column: str) -> tuple[str, ...]:
        return tuple(sorted(self.names.get(column, ()))[:_NAMES])

    def examples(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        return tuple(_example(row) for *_, row in sorted(self.chosen, key=lambda item: -item[1]))


def _example(row: Row) -> tuple[tuple[str, str], ...]:
    turns = [(str(one.get("role")), written(one)) for one in context_of(row)][-_TURNS:]
    turns += [(side, written(row[side][-1])) for side in ("chosen", "rejected")]
    return tuple((role, shortened(text)) for role, text in turns)


def features_of(schema: pyarrow.Schema) -> tuple[Mapping[str, Any], ...]:
    """Return the columns as `dataset_info` of a card describes them."""
    return tuple({"name": one.name, **_feature(one.type)} for one in schema)


def _feature(kind: Any) -> dict[str, Any]:
    from pyarrow import types

    if types.is_struct(kind):
        return {"struct": [{"name": one.name, **_feature(one.type)} for one in kind]}
    if types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("dtype") or inner.get("struct") or inner}
    return {"dtype": {"double": "float64", "float": "float32"}.get(str(kind), str(kind))}
