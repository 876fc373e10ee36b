"""Rows in a temporary file: read once from where they come, then as often as needed."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

T = TypeVar("T")
_IN_MEMORY = 4096  # rows


class RowSpool:
    """A copy of all rows on disk, for as long as the context lasts; a row may be any value that can be pickled."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows, self._count = rows, 0

    def __enter__(self) -> RowSpool:
        self._file = NamedTemporaryFile(suffix=".pickle")
        try:
            for row in self._rows:
                pickle.dump(row, self._file, pickle.HIGHEST_PROTOCOL)
                self._count += 1
            self._file.flush()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        with open(self._file.name, "rb") as file:
            for _ in range(self._count):
                yield pickle.load(file)


def spooled(rows: Iterable[T]) -> list[T] | RowSpool:
    """Return a copy of the rows: a list of a few, or, where they are many, on disk for as long as it is used."""
    rows = iter(rows)
    first = [*islice(rows, _IN_MEMORY)]
    return first if len(first) < _IN_MEMORY else RowSpool(chain(first, rows)).__enter__()


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many rows; the last one may be shorter."""
    rows = iter(rows)
    while batch := [*islice(rows, size)]:
        yield batch
