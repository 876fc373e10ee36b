"""The rows that a reader gives, and the description of those that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..types import Skip
from . import stream

Row: TypeAlias = tuple[str, Any]
"""Where a row is (file:line, or file:row i from 0), and its value: a `Skip` where it can't be read."""
UNREADABLE = ("json", "encoding", "repeated_key", "limit")
"""Why a row can't be read; the `detail` says where and what ("file:line: what")."""


@dataclass(frozen=True)
class Unreadable(Skip):
    """A row that is broken, and what fixes it. One that is merely too long is skipped: a plain `Skip`."""

    fix: str | None = None


@dataclass(frozen=True)
class Wanted:
    """The kind of rows to read: `what` names it for messages, `named` says there what may be given.

    `columns` are those by which a table without a file name is recognised. With `text`, lines of text are rows, and so
    are the objects of a JSON document, or of a list within it. `cells` makes a row of a line of CSV, given by column,
    and of where it is. A row of more bytes than `max_row_bytes` (None: `stream.MAX_ROW_BYTES`) is skipped. What is
    unusual about the lines of a file is added to `noted`.
    """

    what: str
    named: str
    columns: Collection[str]
    text: bool = False
    cells: Callable[[dict[str, str], str], Any] = lambda row, where: row
    max_row_bytes: int | None = None
    noted: set[str] = field(default_factory=set, compare=False)

    @property
    def limit(self) -> int:
        """Return the most bytes of a row."""
        return self.max_row_bytes or stream.MAX_ROW_BYTES
