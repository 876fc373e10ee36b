"""Prompts from the shapes people have them in.

`shapes` finds the part of a row that is asked, `turns` what of a conversation is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..resources import resource
from ..rows import Row, Unreadable, Wanted, read
from ..rows.files import name_of, one_line
from ..types import Prompt, Skip
from .shapes import ASKED, NAMES, READ, prompt_of
from .turns import History

__all__ = ["BUNDLED", "History", "bundled", "prompt_of", "read_prompts", "systems"]

BUNDLED = ("identity.train", "identity.eval", "general.train", "general.eval", "controls.train", "controls.eval")
_PROMPTS = Wanted(
    "prompts",
    f"give a file or a folder with -p, - for standard input, org/name of the Hub, or one of {', '.join(BUNDLED)}",
    columns=ASKED,
    text=True,
)


def bundled(name: str) -> list[Prompt]:
    """The prompts of one of the `BUNDLED` sets; the other keys of each line stand in `columns`."""
    return [prompt for prompt in read_prompts(name) if isinstance(prompt, Prompt)]


def systems(split: str) -> list[dict[str, str]]:
    """The bundled system messages that name another assistant: rows of `system`, `name`, `maker`, `lang`."""
    return [row for _, row in _rows(resource("data", "prompts", "systems.jsonl")) if row["split"] == split]


def read_prompts(
    source: str | Path, *, columns: Mapping[str, str] | None = None, history: History = "last"
) -> list[Prompt | Skip]:
    """All prompts of a source, one a row; a Skip for a row that holds none.

    `source` is what `pairforge.rows.read` takes (a file, a folder, a data set of the Hub, `-`) or one of the `BUNDLED`
    sets. Of a conversation the last user turn is asked under its system message; with `history` "full" all turns before
    it are kept. `columns` names columns called otherwise: `{"prompt": "my_column"}`.

    Raises InputError where it can't be read or its shape is unknown, OutsideError where the Hub can't be reached.
    """
    columns = columns or {}
    if unknown := [name for name in columns if name not in NAMES]:
        raise InputError(f"--columns {unknown[0]}: no part of a prompt", fix=f"use one of {', '.join(NAMES)}")
    if history not in ("last", "full"):
        raise InputError(f"--history {history}: unknown", fix="use last or full")
    found: list[Prompt | Skip] = []
    missing, seen = dict.fromkeys(columns.values()), dict[Any, None]()
    for where, row in list(_rows(source)):  # what can't be read is told first
        if missing and isinstance(row, Mapping):
            seen.update(dict.fromkeys(row))
            missing = {name: None for name in missing if name not in row}
        found.append(prompt_of(row, where, columns, history))
    if not found:
        raise InputError(f"{name_of(source)}: no prompts", fix=READ)
    if missing:
        what = one_line(", ".join(map(str, seen)) or "lines of text")
        raise InputError(f"{name_of(source)}: no column {next(iter(missing))!r}: found {what}", fix="name one of these")
    return found


def _rows(source: str | Path) -> Iterator[Row]:
    """The rows of a source, lines of text as strings. Raises InputError at the first that can't be read."""
    if str(source) in BUNDLED:
        source = resource("data", "prompts", f"{source}.jsonl")
    for where, row in read(source, _PROMPTS):
        if isinstance(row, Unreadable):
            raise InputError(row.detail, fix=row.fix)
        yield where, row
