"""Pairs to and from every shape that trainers and people write them in.

sources: rows of pairs; turns, contexts, shapes, kto: rows to pairs; targets, snippets: pairs to the shape of a trainer;
columns, writing: rows to a file.

A row that can't be read is a `Skip` with one of the reasons in `UNREADABLE`, and reading goes on behind it; what is no
file of rows is an `InputError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..rows import UNREADABLE, hub_id
from ..types import Skip
from .columns import features, to_dataset, write_parquet
from .shapes import SHAPES, Shape, as_pairs, presented, recognise, shape_of
from .sources import files_of, rows
from .targets import TARGETS

__all__ = [
    "SHAPES", "TARGETS", "UNREADABLE", "Shape", "as_pairs", "features", "files_of", "hub_id", "presented", "read",
    "read_rows", "recognise", "rows", "shape_of", "to_dataset", "write_parquet",
]  # fmt: skip


def read(source: str | Path, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
    """The rows of a file, folder, Hub data set or stdin (`-`), in order, each a Skip where it can't be read.

    Rows of a well-known foreign shape come as pairs of whole conversations; all others as they stand, so that a check
    sees what is in the file. Row n of what comes is row n of the file. The other arguments are those of `rows`.
    """
    return presented(rows(source, max_row_bytes, noted))


def read_rows(source: str | Path) -> Iterator[Any]:
    """`read`, with an InputError at the first row that can't be read."""
    for row in read(source):
        if isinstance(row, Skip):
            raise InputError(row.detail, fix=f"see all such rows with: pairforge validate {source}")
        yield row
