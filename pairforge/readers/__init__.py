"""Rows from whatever a user names and whatever its bytes are, for prompts and for pairs alike.

source: names to files and data sets, files to rows; json_lines: JSON and lines of text; tables: CSV, Parquet, Arrow;
stream: which rows are wanted, and bytes, unpacked; foreign_files: what holds no rows; in_memory: rows given in Python;
spool: rows kept on disk.

Row n of what comes is row n of the source. One that can't be read is a `Skip` in its place, and reading goes on behind
it where that can be found; a file that does not hold rows is an `InputError`.
"""

from __future__ import annotations

from .in_memory import is_given, rows_given
from .source import NoFilesError, files_of, hub_id, near_file, read
from .stream import PlacedRow, Unreadable, Wanted

__all__ = [
    "NoFilesError", "PlacedRow", "Unreadable", "Wanted", "files_of", "hub_id", "is_given", "near_file", "read",
    "rows_given",
]  # fmt: skip
