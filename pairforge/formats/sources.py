"""Where pairs are read from, and what their cells in CSV are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

from .. import rows as reader
from ..rows import Unreadable, Wanted
from .columns import NUMBERS


def rows(source: str | Path, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
    """The rows of a source as they stand, each a Skip where it can't be read; see `pairforge.rows.read`.

    A path that is nothing on this disk may name a data set on the Hub, too. A row of more bytes than that is passed
    over. What is unusual about the lines of a file is added to `noted`.
    """
    wanted = replace(PAIRS, max_row_bytes=max_row_bytes, noted=set() if noted is None else noted)
    return map(itemgetter(1), reader.read(str(source), wanted))


def files_of(source: str | Path) -> list[Path]:
    """The files behind a source on this disk, in order.

    Raises InputError where a folder holds none, or several splits of which none is named.
    """
    return reader.files_of(source, PAIRS)


def _of_cells(cells: dict[str, str], where: str) -> Any:
    """The row of a line of CSV. A cell that holds a JSON list or object is that value, a score is a number."""
    row: dict[str, Any] = {}
    for column, cell in cells.items():
        row[column] = cell
        if column in NUMBERS and not cell:
            del row[column]
        elif column in NUMBERS or cell[:1] in ("[", "{"):
            try:
                row[column] = float(cell) if column in NUMBERS else json.loads(cell)
            except (ValueError, RecursionError):
                if cell.startswith(("[{'", "{'")):
                    what = f"{where}: the cell of {column!r:.40} is the repr of a Python object, not JSON"
                    return Unreadable("json", what, "write such cells with json.dumps")
    return row


PAIRS = Wanted(
    "pairs",
    "give a file or a folder, org/name of the Hub, or - for standard input",
    columns=("chosen", "rejected"),
    cells=_of_cells,
)
