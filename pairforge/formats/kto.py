"""Answers with a label, good or bad, as KTO reads them: they make a pair where a prompt has both."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from ..types import Message, Skip, digest
from .columns import QUESTIONS, Names
from .context import Cells, MisfitError, context_of, turns_in, under_system

NAME = "kto"
_LABELS: dict[Any, bool] = {
    **dict.fromkeys((True, 1, "1", "true", "yes", "good", "chosen", "desirable", "positive", "accepted", "up"), True),
    **dict.fromkeys((False, 0, -1, "0", "-1", "false", "no", "bad", "rejected", "undesirable", "negative"), False),
    **dict.fromkeys(("thumbs_up", "like", "win", "preferred", "correct", "+1"), True),
    **dict.fromkeys(("thumbs_down", "dislike", "lose", "dispreferred", "incorrect", "down"), False),
}
LABELS = ("label", "kto_tag", "labels", "desirable", "is_desirable", "feedback", "thumbs", "tag")
"""The columns that may hold a label."""
COMPLETIONS = ("completion", "response", "answer", "output")


class _Answer(NamedTuple):
    number: int
    label: bool
    context: list[Message]
    answer: list[Message]
    rest: dict[str, Any]


def fits(row: Mapping[str, Any]) -> bool:
    """Return whether a row has a label, and a prompt with a completion, or messages."""
    return _label(row) is not None and bool(_columns(row))


def paired(rows: Iterable[Any], lost: Counter[str]) -> Iterator[dict[str, Any] | Skip]:
    """Yield a pair for each good and bad answer to the same prompt, in order; a Skip for each without a counterpart.

    Memory grows by the answers that wait for their counterpart.
    """
    waiting: defaultdict[str, deque[_Answer]] = defaultdict(deque)
    for number, row in enumerate(rows):
        gone = set[str]()
        answer = row if isinstance(row, Skip) else _answer(number, row, gone)
        if isinstance(answer, Skip):
            yield answer
            continue
        lost.update(gone)
        queue = waiting[digest(answer.context)]
        if queue and queue[0].label != answer.label:
            other = queue.popleft()
            yield _pair(*((answer, other) if answer.label else (other, answer)), lost)
        else:
            queue.append(answer)
    for one in sorted(chain.from_iterable(waiting.values())):
        what = f"a pair also needs an answer to the same prompt with the label {str(not one.label).lower()}"
        yield Skip("unpaired", f"row {one.number}: {what}")


def label_of(row: Mapping[str, Any]) -> Any:
    """Return what a row holds as its label, and None where it has none."""
    return next((row[name] for name in LABELS if row.get(name) is not None), None)


def _label(row: Mapping[str, Any]) -> bool | None:
    value = label_of(row)
    if isinstance(value, str):
        value = value.strip().lower().replace(" ", "_").replace("-", "_") if value.strip() != "-1" else "-1"
    return _LABELS.get(value) if isinstance(value, (str, int, float)) else None


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that hold the prompt and the answer; none where there are no such columns."""
    answer = next((name for name in COMPLETIONS if isinstance(row.get(name), (str, list))), None)
    asked = next((name for name in (*QUESTIONS, "input") if isinstance(row.get(name), (str, list))), None)
    if answer and asked and "rejected" not in row:
        return asked, answer
    return next(((name,) for name in ("messages", "conversations") if isinstance(row.get(name), list)), ())


def is_good(row: Mapping[str, Any]) -> bool:
    """Return whether the label of a row says that its answer is good."""
    return bool(_label(row))


def answer_of(row: Any) -> tuple[list[Message], list[Message]] | None:
    """Return the context and the answer in a row with a label; None where it holds none."""
    found = _answer(0, row, set())
    return None if isinstance(found, Skip) else (found.context, found.answer)


def _answer(number: int, row: Any, lost: set[str]) -> _Answer | Skip:
    skip = Skip("shape", f"row {number}: no answer with a label")
    if not isinstance(row, Mapping) or not fits(row):
        return skip
    names = _columns(row)
    cells = Cells(row, Names(), lost)
    try:
        if len(names) == 2:
            context, value = context_of(cells), row[names[1]]
            answer = (
                turns_in(value, cells, names[1])
                if isinstance(value, list)
                else [Message(role="assistant", content=value)]
            )
        else:
            turns = under_system(cells, turns_in(row[names[0]], cells, names[0]))
            at = next((at for at in range(len(turns), 0, -1) if turns[at - 1]["role"] != "assistant"), 0)
            context, answer = turns[:at], turns[at:]
    except MisfitError as error:
        return Skip("shape", f"row {number}: {error}")
    rest = {name: value for name, value in cells.rest().items() if name not in (*names, *LABELS)}
    return _Answer(number, bool(_label(row)), context, answer, rest) if context and answer else skip


def _pair(good: _Answer, bad: _Answer, lost: Counter[str]) -> dict[str, Any]:
    """Return the pair of two answers, with the columns in which they agree; the others are lost."""
    rest = {name: value for name, value in good.rest.items() if name not in bad.rest or bad.rest[name] == value}
    rest |= {name: value for name, value in bad.rest.items() if name not in good.rest}
    lost.update(name for name in good.rest if name not in rest)
    return {**rest, "chosen": good.context + good.answer, "rejected": bad.context + bad.answer}
