"""Rows in a temporary file: read once from where they come, then as often as needed."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from tempfile import NamedTemporaryFile
from typing import Any


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
