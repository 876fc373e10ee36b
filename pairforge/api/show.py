"""show: pairs as a word diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import report
from ..errors import InputError
from ..formats import read_rows
from .runs import pairs_file

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


@dataclass
class Shown:
    """The pairs to show, with the number of each in its file, counted from 0."""

    rows: Sequence[tuple[int, Mapping[str, Any]]]
    ok: bool = True

    def as_json(self) -> dict[str, Any]:
        return {"command": "show", "ok": self.ok, "pairs": [dict(row) for _, row in self.rows]}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, row in self.rows:
            yield report.PairView(row, number)
            yield ""


def show(data: str | None = None, *, limit: int = 10, output: str | None = None, quiet: bool = False) -> Shown:
    """The first `limit` pairs of a file or run folder, by default of the latest run.

    Raises InputError where one of them is no pair.
    """
    path = pairs_file(data, output, quiet)
    rows = list(islice(enumerate(read_rows(path)), limit))
    for number, row in rows:
        if not _is_pair(row):
            raise InputError(
                f"{path}: row {number} is no pair of message lists", fix=f"see why with: pairforge validate {path}"
            )
    return Shown(rows)


def _is_pair(row: Any) -> bool:
    if not isinstance(row, Mapping):
        return False
    prompt = row.get("prompt")
    sides = [row.get("chosen"), row.get("rejected"), *([prompt] if isinstance(prompt, list) and prompt else [])]
    return all(isinstance(side, list) and side and all(map(_is_message, side)) for side in sides)


def _is_message(turn: Any) -> bool:
    return isinstance(turn, Mapping) and all(isinstance(turn.get(key), str) for key in ("role", "content"))
