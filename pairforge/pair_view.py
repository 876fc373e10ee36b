"""One pair for a reader: a word diff, or both answers, one below the other or side by side."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from .console import Block
from .markdown import shortened
from .text import common_prefix, edit_distance, visible
from .types import Message

if TYPE_CHECKING:
    from markupsafe import Markup

_WORDS = re.compile(r"\s+|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]|[^\W\u2e80-\u9fff]+|.", re.DOTALL)
_OLD, _NEW = "red strike", "green bold"
_ALIKE = 0.5
"""A word diff reads well where the answers have at least this share of their words in common."""
_LOOKED_AT = 2_000  # words of each answer that decide on that
_SHORT = 200  # words up to which a diff is quick, whatever they are
_RULES = ("rename", "revise", "persona")
"""What is in the column `judge` of a correction: its scores are always 1 and 0."""
_MOST = 500_000  # steps that one search for the longest common run may take


def words(text: str) -> list[str]:
    """Return the words of a text, and what is between them; characters of scripts without spaces are words."""
    return _WORDS.findall(text)


def alike(one: str, other: str) -> bool:
    """Return whether most words of two texts are the same, in the same order."""
    ours, theirs = ([word for word in words(text) if not word.isspace()][:_LOOKED_AT] for text in (one, other))
    return edit_distance(ours, theirs) <= (1 - _ALIKE) * max(len(ours), len(theirs))


def changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield the runs of both texts in order, each with whether it is the same in both.

    Two texts that repeat themselves could take hours to compare. In long ones, the frequent words begin no match; where
    that is not enough, all between the common beginning and the common end counts as one change.
    """
    start = end = 0
    if min(len(old), len(new)) > _SHORT:
        shorter = min(len(old), len(new))
        start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
        end = next((at for at in range(shorter - start) if old[-1 - at] != new[-1 - at]), shorter - start)
    middle = old[start : len(old) - end], new[start : len(new) - end]
    if start:
        yield "".join(old[:start]), "".join(new[:start]), True
    matcher: Any = SequenceMatcher(None, *middle)  # `b2j`: the places of each word of the second text
    if sum(len(matcher.b2j.get(word, ())) for word in middle[0]) > _MOST:
        yield "".join(middle[0]), "".join(middle[1]), False
    else:
        for kind, i, j, k, stop in matcher.get_opcodes():
            yield "".join(middle[0][i:j]), "".join(middle[1][k:stop]), kind == "equal"
    if end:
        yield "".join(old[len(old) - end :]), "".join(new[len(new) - end :]), True


@dataclass(frozen=True)
class Diff:
    """A pair as one text with its changed words marked as [-rejected-]{+chosen+}, and coloured where there is colour.

    The marks stay in colour, too: a copied text and a picture without colours read the same.
    """

    rejected: str
    chosen: str

    def __rich__(self) -> Text:
        return self.text()

    @property
    def legible(self) -> bool:
        """Whether no changed word begins or ends with a sign that the marks are made of."""
        changed = changes(words(self.rejected), words(self.chosen))
        edges = (text[:1] + text[-1:] for *texts, same in changed if not same for text in texts)
        return not any(set(edge) & set("+-") for edge in edges)

    def text(self, marks: bool = True, sides: tuple[str, ...] = ("rejected", "chosen")) -> Text:
        """Return what both answers share and what is only in those of the named sides."""
        made = Text()
        for removed, added, same in changes(words(self.rejected), words(self.chosen)):
            if same:
                made.append(visible(removed))
                continue
            if removed and "rejected" in sides:
                made.append(f"[-{visible(removed)}-]" if marks else visible(removed), style=_OLD)
            if added and "chosen" in sides:
                made.append(f"{{+{visible(added)}+}}" if marks else visible(added), style=_NEW)
        return made

    def as_html(self) -> Markup:
        """Return the same as one paragraph, in which what is only rejected is deleted, and what is chosen inserted."""
        from .html import element

        parts: list[object] = []
        for removed, added, same in changes(words(self.rejected), words(self.chosen)):
            marked = [element("del", removed)] * bool(removed) + [element("ins", added)] * bool(added)
            parts += [removed] if same else marked
        return element("p", *parts, class_="turn", dir="auto")


@dataclass(frozen=True)
class PairView:
    """One pair for a reader: the context, then what differs in the answers. Rows are counted from 0.

    Answers that have little in common, or differ in a + or -, are shown one below the other; with `side_by_side` all
    are in two columns.
    """

    row: Mapping[str, Any]
    number: int
    side_by_side: bool = False
    easiness: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        context, chosen, rejected = sides_of(self.row)
        named = [f"pair {self.number}", visible(str(self.row.get("id", "")))]
        yield Text("  ".join([*filter(None, named), *self._scores()]), style="bold")
        for turn in context:
            yield Block(Text(visible(f"{turn['role']}: {turn['content']}"), style="dim"), 2)
        diff = Diff(text_of_turns(rejected), text_of_turns(chosen))
        same = alike(diff.rejected, diff.chosen) and diff.legible
        if self.side_by_side:
            # In a pipe, where nothing else wraps, $COLUMNS or 100.
            width = shutil.get_terminal_size((100, 24)).columns if options.no_wrap else options.max_width
            yield Block(_columns(diff, same, width - 2), 2)
        elif same:
            yield Block(diff, 2)
        else:
            for name, text, style in (("chosen", diff.chosen, "green"), ("rejected", diff.rejected, "red")):
                yield Block(Text.assemble((f"{name}: ", f"{style} bold"), visible(text)), 2)

    def as_html(self, longest: int = 5_000) -> Markup:
        """Return the pair as parts of a page: context, and a word difference or both answers, cut where too long."""
        from .html import element, joined

        context, chosen, rejected = sides_of(self.row)
        diff = Diff(*(shortened(text_of_turns(side), longest) for side in (rejected, chosen)))
        turns = [(turn["role"], shortened(turn["content"], longest), "turn context") for turn in context]
        shown = [diff.as_html()]
        if not alike(diff.rejected, diff.chosen):
            turns += [("chosen", diff.chosen, "turn chosen"), ("rejected", diff.rejected, "turn rejected")]
            shown = []
        if said := ", ".join(self._scores()):
            shown.append(element("p", said, class_="note"))
        said_by = (element("p", element("b", f"{role} "), text, class_=kind, dir="auto") for role, text, kind in turns)
        return joined([*said_by, *shown])

    def _scores(self) -> Iterator[str]:
        """Yield the scores and the margin, where a judge gave them, and the easiness, where it was computed."""
        chosen, rejected = (self.row.get(f"{side}_score") for side in ("chosen", "rejected"))
        if isinstance(chosen, (int, float)) and isinstance(rejected, (int, float)) and not by_rule(self.row):
            yield f"scores {chosen:.4g} and {rejected:.4g}, margin {chosen - rejected:.4g}"
        if self.easiness is not None:
            yield f"easiness {self.easiness:g} bits"


def sides_of(row: Mapping[str, Any]) -> tuple[Sequence[Message], Sequence[Message], Sequence[Message]]:
    """Return the turns that both sides of a pair begin with, and those that follow on each side, at least one.

    Parts that are not text, and calls of tools, are written as JSON.
    """
    prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
    listed = prompt if isinstance(prompt, list) else []
    if not all(type(turn["content"]) is str and len(turn) == 2 for turn in chain(listed, chosen, rejected)):
        from .checks.row import Sides

        sides = Sides.of(row)
        prompt, chosen, rejected = None, sides.chosen, sides.rejected
    shared = min(common_prefix(chosen, rejected), len(chosen) - 1, len(rejected) - 1)
    before = list(prompt) if isinstance(prompt, list) else []
    if isinstance(prompt, str) and not shared:
        before = [Message(role="prompt", content=prompt)]
    return [*before, *chosen[:shared]], chosen[shared:], rejected[shared:]


def text_of_turns(turns: Sequence[Message]) -> str:
    """Return the text of an answer; of several turns, each with its role."""
    if len(turns) == 1:
        return turns[0]["content"]
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns)


def by_rule(row: Mapping[str, Any]) -> bool:
    """Return whether the scores of a pair say only which side is which."""
    return row.get("judge") in _RULES or row.get("method") == "reference"


def margin(row: Mapping[str, Any]) -> float | None:
    """Return by how much the chosen answer is scored higher; None where there are no scores."""
    chosen, rejected = (row.get(f"{side}_score") for side in ("chosen", "rejected"))
    return chosen - rejected if type(chosen) in (int, float) and type(rejected) in (int, float) else None  # type: ignore[operator]


def lengths_of(row: Mapping[str, Any]) -> tuple[int, int]:
    """Return the characters of the chosen and of the rejected answer."""
    _, *answers = sides_of(row)
    chosen, rejected = (len(text_of_turns(answer)) for answer in answers)
    return chosen, rejected


def _columns(diff: Diff, marks: bool, width: int) -> Table:
    """Return both answers in two columns; with `marks` the words are marked that only one of them has."""
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("chosen", "rejected"):
        made.add_column(name, width=max((width - 3) // 2, 8), overflow="fold")
    sides: list[Text | str] = [diff.text(sides=("chosen",)), diff.text(sides=("rejected",))]
    made.add_row(*(sides if marks else [Text(visible(text)) for text in (diff.chosen, diff.rejected)]))
    return made
