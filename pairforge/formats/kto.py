"""Answers with a label, good or bad, as KTO reads them: they make a pair where a prompt has both."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from ..conversation import messages
from ..types import Message, Skip, digest

NAME = "kto"
_LABELS = {True: True, False: False, "true": True, "false": False}
_NAMES = ("label", "kto_tag")


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
    for number in sorted(answer.number for answer in chain.from_iterable(waiting.values())):
        yield Skip("unpaired", f"row {number}: no answer with the other label to the same prompt")


def _label(row: Mapping[str, Any]) -> bool | None:
    value = next((row[name] for name in _NAMES if name in row), None)
    value = value.lower() if isinstance(value, str) else value
    return _LABELS.get(value) if isinstance(value, (str, int)) else None


def _columns(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns that hold the prompt and the answer; none where there are no such columns."""
    if all(isinstance(row.get(name), (str, list)) for name in ("prompt", "completion")):
        return ("prompt", "completion")
    return next(((name,) for name in ("messages", "conversations") if isinstance(row.get(name), list)), ())


def _answer(number: int, row: Any, lost: set[str]) -> _Answer | Skip:
    skip = Skip("shape", f"row {number}: no answer with a label")
    if not isinstance(row, Mapping) or not fits(row):
        return skip
    if len(names := _columns(row)) == 2:
        context, answer = _turns(row["prompt"], "user", lost), _turns(row["completion"], "assistant", lost)
    else:
        turns = messages(row[names[0]], lost) or []
        at = next((at for at in range(len(turns), 0, -1) if turns[at - 1]["role"] != "assistant"), 0)
        context, answer = turns[:at], turns[at:]
    rest = {name: value for name, value in row.items() if name not in (*names, *_NAMES)}
    return _Answer(number, bool(_label(row)), context, answer, rest) if context and answer else skip


def _turns(value: Any, role: str, lost: set[str]) -> list[Message]:
    return [Message(role=role, content=value)] if isinstance(value, str) else messages(value, lost) or []


def _pair(good: _Answer, bad: _Answer, lost: Counter[str]) -> dict[str, Any]:
    """Return the pair of two answers, with the columns in which they agree; the others are lost."""
    rest = {name: value for name, value in good.rest.items() if name not in bad.rest or bad.rest[name] == value}
    rest |= {name: value for name, value in bad.rest.items() if name not in good.rest}
    lost.update(name for name in good.rest if name not in rest)
    return {**rest, "chosen": good.context + good.answer, "rejected": bad.context + bad.answer}
