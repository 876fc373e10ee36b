"""Findings and outcomes as a person reads them in a terminal: tables, word diffs, progress.

Texts from outside never act as markup or as control codes.
"""

from __future__ import annotations

import difflib
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .conversation import context_of, written
from .text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from .types import ProgressCallback


_WORDS = re.compile(r"\s+|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[^\W\u2e80-\u9fff]+|.", re.DOTALL)


def console() -> Console:
    """Return the console for messages and progress: stderr. stdout is for data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(line: str) -> None:
    """Print one line on stderr; text from outside acts neither as markup nor as control codes."""
    console().print(visible(line), markup=False)


def outcome(counts: Mapping[str, Any]) -> str:
    """Return counts in one line: `812 pairs · 143 nothing to correct · 41 cut off`."""
    skips = sorted(counts["skips"].items(), key=lambda item: (-item[1], item[0]))
    return " · ".join([f"{counts['pairs']} pairs", *(f"{count} {reason.replace('_', ' ')}" for reason, count in skips)])


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a plain table; columns of numbers are right-aligned."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    body = [[visible(cell) for cell in row] for row in rows]
    for index, column in enumerate(columns):
        number = bool(body) and all(re.fullmatch(r"[-+\d.,%\s–/of\[\]]*", row[index]) for row in body)
        made.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in body:
        made.add_row(*map(Text, row))
    return made


@dataclass
class Diff:
    """A pair as one text with its changed words marked: in colour, or as [-rejected-]{+chosen+} where there is none."""

    rejected: str
    chosen: str

    def __rich_console__(self, console: Console, _: object) -> Iterator[Text]:
        yield self.text(marks=console.color_system is None)

    def text(self, marks: bool) -> Text:
        """Return the diff; with `marks` the changes are marked by characters."""
        from rich.text import Text

        old, new = _WORDS.findall(self.rejected), _WORDS.findall(self.chosen)
        made = Text()
        for kind, i, j, k, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            removed, added = visible("".join(old[i:j])), visible("".join(new[k:end]))
            if kind == "equal":
                made.append(removed)
                continue
            if removed:
                made.append(f"[-{removed}-]" if marks else removed, style="red strike")
            if added:
                made.append(f"{{+{added}+}}" if marks else added, style="green bold")
        return made


@dataclass
class PairView:
    """One pair for a reader: the context, then the difference of the two answers."""

    row: Mapping[str, Any]
    number: int

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        from rich.padding import Padding
        from rich.text import Text

        yield Text(f"pair {self.number}  {visible(str(self.row.get('id', '')))}", style="bold")
        parts: list[Any] = [
            Text(visible(f"{message['role']}: {written(message)}"), style="dim") for message in context_of(self.row)
        ]
        parts.append(Diff(written(self.row["rejected"][-1]), written(self.row["chosen"][-1])))
        yield from (Padding(part, (0, 0, 0, 2), expand=False) for part in parts)


@contextmanager
def progress(label: str, quiet: bool = False) -> Iterator[ProgressCallback | None]:
    """Show a bar with ETA and speed on a terminal, elsewhere a line every ten seconds; yield the function to report to.

    What an earlier process had done counts neither as speed nor as time.
    """
    if quiet:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[speed]}", TimeRemainingColumn())
    bar = Progress(*columns, console=console(), transient=True)
    task = bar.add_task(label, total=None, speed="")
    on_terminal = bar.console.is_terminal
    start = last = time.monotonic()
    first: tuple[int, int] | None = None

    def tell(done: int, total: int, tokens: int, failed: int) -> None:
        nonlocal first, last
        first = first or (done, tokens)
        now = time.monotonic()
        speed = f"{(tokens - first[1]) / max(now - start, 0.001):.0f} tokens/s"
        speed += f", {failed} failed" if failed else ""
        if on_terminal:
            bar.update(task, completed=done, total=total, speed=speed)
        elif now - last >= 10:
            last = now
            left = (now - start) / max(done - first[0], 1) * (total - done)
            print(f"{label}: {done} of {total}, {speed}, about {left:.0f} s left", file=sys.stderr)

    with bar if on_terminal else nullcontext():
        yield tell
