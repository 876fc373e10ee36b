"""Pairs to and from every shape that trainers and people write them in.

shapes has the table of shapes; source_formats recognises that of a set, and gives its rows as pairs. A row is read by
shape_readers, with columns (their names), context (what is asked), candidates, verdicts, trees and kto (answers with
scores, verdicts, ranks or labels); joined puts together sets of one answer a row. target_formats: pairs to the shape of
a trainer; table_schema and writers: rows to a table or a file.

A row that can't be read is a `Skip`, mostly an `Unreadable`, and reading goes on behind it; a file that does not hold
rows is an `InputError`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..readers import Unreadable, Wanted, read
from ..types import NUMBER_COLUMNS, SIDES, Skip
from .columns import ANSWERS, QUESTIONS, Names, by_hand, plain
from .context import decoded
from .joined import joined
from .shapes import SHAPES, Shape
from .source_formats import LOOKED_AT, NO_PAIR, Misfit, as_pairs, pairs_in, presented, recognise, refusal, shape_of, tie
from .target_formats import TARGETS
from .verdicts import sisters, two_answers
from .writers import to_dataset


def rows(source: str | Path, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
    """Return the rows of a source as they are, a Skip where one can't be read; see `pairforge.readers.read`.

    A path that is nothing on this disk may name a data set on the Hub, too. A row of more than `max_row_bytes` is
    skipped. What is unusual about the lines of a file is added to `noted`.
    """
    wanted = replace(PAIRS, max_row_bytes=max_row_bytes, noted=set() if noted is None else noted)
    return joined(map(itemgetter(1), read(str(source), wanted)))


@cache
def _of_texts(column: str) -> bool:
    """Return whether a column is one of texts: a cell of it that is JSON is that only where it holds messages."""
    name = plain(column)
    known = name in (*SIDES, *QUESTIONS, "system", "input", "context", "completion", "response", "answer")
    return known or name in ANSWERS or two_answers(dict.fromkeys((column, *sisters(column)), "")) is not None


def _of_cells(cells: dict[str, str], where: str) -> Any:
    """Return the row of a line of CSV. A cell that holds a JSON list or object is that value, a score is a number.

    In a column of texts only messages are read: an answer may be JSON.
    """
    row: dict[str, Any] = {column: cell for column, cell in cells.items() if cell or column not in NUMBER_COLUMNS}
    for column, cell in row.items():
        if column in NUMBER_COLUMNS or cell[:1] in ("[", "{"):
            try:
                found = float(cell) if column in NUMBER_COLUMNS else json.loads(cell)
            except (ValueError, RecursionError):
                if cell.startswith(("[{'", "{'")):
                    what = f"{where}: the cell of {column!r:.40} is the repr of a Python object, not JSON"
                    return Unreadable("json", what, "write such cells with json.dumps")
            else:
                row[column] = decoded(cell) if _of_texts(column) else found
    return row


PAIRS = Wanted(
    "pairs",
    "give a file or a folder, org/name of the Hub, or - for standard input",
    columns=SIDES,
    cells=_of_cells,
)

__all__ = [
    "LOOKED_AT", "NO_PAIR", "PAIRS", "SHAPES", "TARGETS", "Misfit", "Names", "Shape", "all_readable", "as_pairs",
    "by_hand", "pairs_in", "pairs_of", "presented", "read_rows", "recognise", "refusal", "rows", "shape_of", "tie",
    "to_dataset",
]  # fmt: skip


def read_rows(source: str | Path, columns: Names | None = None) -> Iterator[Any]:
    """Return the pairs of a source: see `pairs_of`. Raises InputError at the first row that can't be read."""
    return all_readable(pairs_of(rows(source), columns), str(source))


def pairs_of(rows: Iterable[Any], columns: Names | None = None) -> Iterator[Any]:
    """Return the rows as pairs, where they are of any known shape; others as they are, a Skip where one can't be read.

    A row of several answers gives all of its pairs; one without a preference, a tie or an answer with a label that has
    no counterpart, gives none. Where no row gives any, a Skip says why. `columns` are those that the user named.
    """
    shape, rows = recognise(rows, columns)
    return rows if shape.native or not shape.known else _with_pairs(rows, shape)


def _with_pairs(rows: Iterable[Any], shape: Shape) -> Iterator[Any]:
    without, found = list[Skip](), False
    for row in as_pairs(rows, shape, Counter()):
        if isinstance(row, Skip) and row.reason in (*NO_PAIR, "unpaired"):
            without = without or [row]
        else:
            found = True
            yield row
    if without and not found:
        yield Skip("shape", f"no pairs: the rows are {shape.what}; {without[0].detail}")


def all_readable(rows: Iterable[Any], source: str) -> Iterator[Any]:
    """Yield the rows. Raises InputError at the first Skip among them."""
    for row in rows:
        if isinstance(row, Skip):
            raise InputError(row.detail, fix=f"see all such rows with: pairforge validate {source}".rstrip())
        yield row
