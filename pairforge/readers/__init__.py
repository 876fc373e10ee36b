"""Rows from whatever a user names and whatever its bytes are: what is read for prompts and for pairs alike.

sources: names to files and data sets; content: one file to rows, by jsontext (JSON, lines of text) and tables (CSV,
Parquet, Arrow); files: bytes.

Row n of what comes is row n of the source. One that can't be read is a `Skip` in its place, and reading goes on behind
it where that can be found; what is no file of rows is an `InputError`.
"""

from __future__ import annotations

from .source import files_of, hub_id, read
from .spec import UNREADABLE, Row, Unreadable, Wanted

__all__ = ["UNREADABLE", "Row", "Unreadable", "Wanted", "files_of", "hub_id", "read"]
