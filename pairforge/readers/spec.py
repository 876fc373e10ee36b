"""What a reader gives, and what it must be told to give it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..types import Skip
from . import stream

Row: TypeAlias = tuple[str, Any]
"""Where a row stands (file:line, or file:row i from 0), and what it is: a `Skip` where it can't be read."""
UNREADABLE = ("json", "encoding", "repeated_key", "limit")
"""Why a row can't be read; the `detail` says where and what ("file:line: what")."""


@dataclass(frozen=True)
class Unreadable(Skip):
    """A row that is broken, and what mends it. One that is merely too long is passed over: a plain `Skip`."""

    fix: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What rows are read for: `what` names it for messages, `named` says there what may be given.

    `columns` are those that a table without a file name is known by. With `text`, lines of text are rows, and so are
    the objects of a JSON document, or of a list within it. `cells` makes a row of a line of CSV, given by column, and
    of where it stands. A row of more bytes than `max_row_bytes` (None: `stream.MAX_ROW_BYTES`) is passed over. What is
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
        """The most bytes of a row."""
        return self.max_row_bytes or stream.MAX_ROW_BYTES
