"""Findings and outcomes as a person reads them, in a terminal, a pipe or a notebook: tables, notes, progress.

Texts from outside never act as markup or as control codes.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from .text import plural, status_highlighter, visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from .types import ProgressCallback


_SHORT, _LONG = 16, 24  # columns of a terminal: what is not wrapped, and what is enough for a column of longer texts
_NUMBERS = re.compile(r"[-+\d.,%\s–/of\[\]]*")
_EVERY = 10.0  # seconds between two lines of progress


def console() -> Console:
    """Return the console for messages and progress: stderr. stdout is for data."""
    from rich.console import Console

    made = Console(stderr=True, highlight=False)
    made.soft_wrap = not made.is_terminal  # a terminal wraps in the middle of words, and a pipe not at all
    return made


def note(line: str) -> None:
    """Print one line on stderr; text from outside acts neither as markup nor as control codes."""
    console().print(status_highlighter()(visible(line)))


def outcome(counts: Mapping[str, Any]) -> str:
    """Return counts in one line: `812 pairs · 143 nothing to correct · 41 cut off`."""
    skips = sorted(counts["skips"].items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(
        [plural(counts["pairs"], "pair"), *(f"{count} {reason.replace('_', ' ')}" for reason, count in skips)]
    )


_UNLIMITED = 1_000_000  # columns, where nothing wraps


@dataclass(frozen=True)
class Block:
    """A part of what is printed that loses nothing: on a terminal it wraps at words, in a pipe each line is whole."""

    part: Any
    indent: int = 0

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        width = _UNLIMITED if options.no_wrap else max(options.max_width - self.indent, 1)
        for line in console.render_lines(self.part, options.update(width=width), pad=False):
            while line and not line[-1].text.rstrip():
                line.pop()
            if line:
                yield Segment(" " * self.indent)
                yield from line[:-1]
                yield line[-1]._replace(text=line[-1].text.rstrip())
            yield Segment.line()


@dataclass(frozen=True)
class _Columns:
    """A table that is laid out when its width is known: columns of short texts are not wrapped if they all fit."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich import box
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        widths = [max(map(cell_len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]
        least = sum(min(width, _LONG) + 3 for width in widths) - 3
        made = Table(
            title=self.title or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False
        )
        for index, (column, width) in enumerate(zip(self.columns, widths, strict=True)):
            number = bool(self.rows) and all(_NUMBERS.fullmatch(row[index]) for row in self.rows)
            whole = width <= _SHORT and least <= options.max_width
            made.add_column(column, justify="right" if number else "left", overflow="fold", no_wrap=whole)
        for row in self.rows:
            made.add_row(*map(Text, row))
        yield made


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Block:
    """Return a plain table; columns of numbers are right-aligned."""
    return Block(_Columns(title, columns, [[visible(cell) for cell in row] for row in rows]))


@contextmanager
def progress(label: str, quiet: bool = False, more: Callable[[], str] = str) -> Iterator[ProgressCallback | None]:
    """Show a bar with ETA and speed on a terminal, elsewhere a line every ten seconds; yield the function to report to.

    What an earlier process had done counts neither as speed nor as time, and nor does the first batch, during which the
    model is loaded: before the second one there is nothing to tell. `more` returns what else is said, if anything.
    """
    if quiet:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[speed]}", TimeRemainingColumn())
    bar = Progress(*columns, console=console(), transient=True)
    task = bar.add_task(label, total=None, speed="")
    on_terminal = bar.console.is_terminal
    last, reports = time.monotonic(), list[tuple[float, int, int, int]]()

    def tell(done: int, total: int, tokens: int, failed: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not reports or reports[-1][1:] != (done, tokens, failed):
            reports[2:] = [(now, done, tokens, failed)]  # what there was before, the first batch, the latest batch
        began, done_then, tokens_then, _ = reports[1] if len(reports) > 2 else (now, done, tokens, failed)
        words = [f"{failed} failed"] if failed else []
        if tokens > tokens_then:
            words.insert(0, f"{(tokens - tokens_then) / max(now - began, 0.001):.0f} tokens/s")
        words += filter(None, [more()])
        if on_terminal:
            bar.update(task, completed=done, total=total, speed=", ".join(words))
        elif len(reports) > 2 and now - last >= _EVERY:
            last = now
            if done > done_then:
                left = (now - began) / (done - done_then) * (total - done)
                words.append(f"about {timedelta(seconds=round(left))} left")
            print(f"{label}: {', '.join([f'{done} of {total}', *words])}", file=sys.stderr)

    with bar if on_terminal else nullcontext():
        yield tell
