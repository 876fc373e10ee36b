"""The findings as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...types import visible
from .report import Cue

if TYPE_CHECKING:
    from rich.table import Table

_COLUMNS = ("grade", "kind", "feature", "chosen", "rejected", "prompts", "wins", "q", "rows")


def table(cues: Sequence[Cue]) -> Table:
    """A line a finding; numbers to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD)
    for column in _COLUMNS:
        made.add_column(column, justify="left" if column in ("grade", "kind", "feature", "rows") else "right")
    for cue in cues:
        q = f"{cue.q:.0e}" if cue.q < 0.001 else f"{cue.q:.3f}"
        cells = (
            f"{cue.grade}{', intended' if cue.intended else ''}",
            cue.kind,
            cue.phrase,
            f"{cue.chosen_rate:.1%}",
            f"{cue.rejected_rate:.1%}",
            f"{cue.separates} ({cue.coverage:.0%})",
            f"{cue.win_rate:.1%}",
            q,
            ", ".join(map(str, cue.examples)),
        )
        made.add_row(*(Text(visible(cell)) for cell in cells))
    return made
