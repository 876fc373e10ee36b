"""Findings and outcomes as a person reads them in a terminal.

Texts from outside never act as markup or as control codes.
"""

from __future__ import annotations

import difflib
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .text import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

    from .types import Tell


_WORDS = re.compile(r"\s+|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[^\W\u2e80-\u9fff]+|.", re.DOTALL)


def console() -> Console:
    """The console for words and progress: stderr. stdout is for data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def note(line: str) -> None:
    """One line of words on stderr, from outside or not: never markup, never control codes."""
    console().print(visible(line), markup=False)


def outcome(counts: Mapping[str, Any]) -> str:
    """`812 pairs · 143 nothing to correct · 41 cut off`"""
    skips = sorted(counts["skips"].items(), key=lambda item: (-item[1], item[0]))
    return " · ".join([f"{counts['pairs']} pairs", *(f"{count} {reason.replace('_', ' ')}" for reason, count in skips)])


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A plain table; numbers to the right."""
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


class Diff:
    """A pair as one text with its changed words marked: in colour, or as [-rejected-]{+chosen+} where there is none."""

    def __init__(self, rejected: str, chosen: str) -> None:
        self.rejected = rejected
        self.chosen = chosen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text(marks=console.color_system is None)

    def text(self, marks: bool) -> Text:
        """The diff; `marks` writes the changes in characters."""
        from rich.text import Text

        old, new = _WORDS.findall(self.rejected), _WORDS.findall(self.chosen)
        made = Text()
        for kind, i, j, k, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind == "equal":
                made.append(visible("".join(old[i:j])))
            if kind in ("replace", "delete"):
                removed = visible("".join(old[i:j]))
                made.append(f"[-{removed}-]" if marks else removed, style="red strike")
            if kind in ("replace", "insert"):
                added = visible("".join(new[k:end]))
                made.append(f"{{+{added}+}}" if marks else added, style="green bold")
        return made


class PairView:
    """One pair for a reader: the context, then the difference of the two answers."""

    def __init__(self, row: Mapping[str, Any], number: int) -> None:
        self.row = row
        self.number = number

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.padding import Padding
        from rich.text import Text

        chosen, rejected = self.row["chosen"], self.row["rejected"]
        yield Text(f"pair {self.number}  {visible(str(self.row.get('id', '')))}", style="bold")
        prompt = self.row.get("prompt")
        for message in [*(prompt if isinstance(prompt, list) else []), *chosen[:-1]]:
            yield Padding(
                Text(f"{visible(message['role'])}: {visible(message['content'])}", style="dim"),
                (0, 0, 0, 2),
                expand=False,
            )
        yield Padding(Diff(rejected[-1]["content"], chosen[-1]["content"]), (0, 0, 0, 2), expand=False)


@contextmanager
def progress(label: str, quiet: bool = False) -> Iterator[Tell | None]:
    """A bar with ETA and speed on a terminal; elsewhere a plain line every ten seconds."""
    target = console()
    if quiet:
        yield None
    elif target.is_terminal:
        yield from _bar(label, target)
    else:
        yield _PlainProgress(label)


def _bar(label: str, target: Console) -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    pace = _Pace()
    with Progress(*columns, console=target, transient=True) as bar:
        task = bar.add_task(label, total=None, speed="")

        def tell(done: int, total: int, tokens: int, failed: int) -> None:
            bar.update(task, completed=done, total=total, speed=pace.speed(done, tokens, failed))

        yield tell


class _PlainProgress:
    def __init__(self, label: str) -> None:
        self.label = label
        self.pace = _Pace()
        self.last = time.monotonic()

    def __call__(self, done: int, total: int, tokens: int, failed: int) -> None:
        speed = self.pace.speed(done, tokens, failed)
        if time.monotonic() - self.last >= 10:
            self.last = time.monotonic()
            left = self.pace.left(done, total)
            print(f"{self.label}: {done} of {total}, {speed}, about {left:.0f} s left", file=sys.stderr)


class _Pace:
    """How fast this process is: what an earlier one had done counts neither as speed nor as time."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.first: tuple[int, int] | None = None

    def speed(self, done: int, tokens: int, failed: int) -> str:
        self.first = self.first or (done, tokens)
        speed = f"{(tokens - self.first[1]) / max(time.monotonic() - self.start, 0.001):.0f} tokens/s"
        return f"{speed}, {failed} failed" if failed else speed

    def left(self, done: int, total: int) -> float:
        """Seconds left at the pace so far."""
        made = done - (self.first or (0, 0))[0]
        return (time.monotonic() - self.start) / max(made, 1) * (total - done)
