"""The shapes in: how pairs are written elsewhere, recognised from many rows, and each row as a pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Any, TypeAlias

from ..conversation import NotTextError, messages, role_of, text_of, transcript
from ..errors import InputError
from ..types import Message, Skip
from . import kto

LOOKED_AT = 100
"""How many rows decide on the shape of a set."""
Row: TypeAlias = Mapping[str, Any]
Context: TypeAlias = Callable[[Row, set[str]], list[Message] | None]
"""Gives the messages before the answers, None where the row holds others than texts; adds what is lost to the set."""
_SIDES = ("chosen", "rejected")
_QUESTIONS = ("prompt", "question", "query", "instruction")


def _in_transcripts(row: Row, lost: set[str]) -> list[Message]:
    """Return nothing: the sides are whole, and begin with the text of a `prompt` that may be beside them."""
    if isinstance(prompt := row.get("prompt"), str) and not row["chosen"].strip().startswith(prompt.strip()):
        lost.add("prompt")
    return []


def _column(row: Row, lost: set[str], column: str) -> list[Message] | None:
    """Return the turns of a column, under the system message of the column `system` where they bring none."""
    turns = messages(row[column], lost)
    return None if turns is None else _under_system(row, turns, lost)


def _before_the_last(row: Row, lost: set[str]) -> list[Message] | None:
    """Return the turns of `messages` before the last, which is the chosen answer."""
    turns = messages(row["messages"], lost)
    return turns[:-1] if turns and len(turns) > 1 and turns[-1]["role"] == "assistant" else None


def _beside_lists(row: Row, lost: set[str]) -> list[Message]:
    """Return the prompt text where the lists hold only the answers; whole conversations repeat or contradict it."""
    asked = [turn["content"] for turn in messages(row["chosen"], set()) or () if turn["role"] != "assistant"]
    if not asked:
        return _of_text(row["prompt"])
    if row["prompt"].strip() not in ("", *(text.strip() for text in asked)):
        lost.add("prompt")
    return []


def _texts(row: Row, lost: set[str]) -> list[Message] | None:
    """Return the question with the alpaca `input` below it, after the `history` of exchanges, under `system`."""
    asked = _question(row)
    if asked is None:
        return None
    turns = []
    for exchange in row.get("history") or ():
        if not isinstance(exchange, (list, tuple)) or [type(text) for text in exchange] != [str, str]:
            return None
        turns += [Message(role=role, content=text) for role, text in zip(("user", "assistant"), exchange, strict=True)]
    return _under_system(row, [*turns, *_of_text(asked)], lost)


def _question(row: Row) -> str | None:
    """Return what is asked; an empty text where the column of the question is empty, None where there is none."""
    name = next((name for name in _QUESTIONS if isinstance(row.get(name), str)), "")
    parts = [row.get(name), row.get("input") if name == "instruction" else None]
    return "\n".join(part for part in parts if part and isinstance(part, str)) if name else None


def _of_text(text: str) -> list[Message]:
    """Return the turns of a transcript without the answer that it leaves open; any other text is what the user asks."""
    turns = transcript(text) or [Message(role="user", content=text)]
    return turns[:-1] if turns[-1] == {"role": "assistant", "content": ""} else turns


def _under_system(row: Row, turns: list[Message], lost: set[str]) -> list[Message]:
    system = text_of(row.get("system"))
    if system and turns and turns[0]["role"] == "system":
        lost.add("system")
    elif system:
        return [Message(role="system", content=system), *turns]
    return turns


def _are_turns(row: Row, key: str = "content", kinds: tuple[type, ...] = (str, list)) -> bool:
    """Return whether both sides are lists of turns, each with content of these types under the key."""
    sides = [row[name] for name in _SIDES if isinstance(row.get(name), list) and row[name]]
    return len(sides) == 2 and all(
        isinstance(turn, Mapping) and isinstance(turn.get(key), kinds) for turn in chain(*sides)
    )


def _without_prompt(row: Row) -> bool:
    """Return whether the sides hold only what follows the prompt beside them: without it they would lose it."""
    return bool(row.get("prompt")) and role_of(row["chosen"][0]) == "assistant"


def _are_answers(row: Row) -> bool:
    """Return whether both sides are answers (a text, a message, a list that begins with one), not conversations."""
    sides = [row.get(name) for name in _SIDES]
    return all(isinstance(side, (str, Mapping)) for side in sides) or all(
        isinstance(side, list) and side and role_of(side[0]) == "assistant" for side in sides
    )


@dataclass(frozen=True, eq=False)
class Shape:
    """One way to write pairs: `what` names it for a reader.

    A row is of this shape where its `columns` are of these types, and `test` is true. `context` gives the messages
    before the sides (None: the sides are whole). `spent` are the columns that the pair is made of beside `columns` and
    the sides; all others are kept as they are. A check looks at `native` rows unchanged: their sides are lists of
    messages.
    """

    name: str
    what: str
    columns: Mapping[str, type] = field(default_factory=dict)
    test: Callable[[Row], bool] = bool
    context: Context | None = None
    sides: Mapping[str, type] = field(default_factory=lambda: dict.fromkeys(_SIDES, object))
    spent: tuple[str, ...] = ()
    native: bool = False

    def fits(self, row: Row) -> bool:
        """Return whether a row is of this shape."""
        columns = chain(self.columns.items(), self.sides.items())
        return all(isinstance(row.get(name), kind) for name, kind in columns) and self.test(row)

    def pair(self, row: Any, lost: set[str]) -> dict[str, Any] | None:
        """Return the row with whole conversations as `chosen` and `rejected`; None where it is not of this shape.

        What such a pair can't hold is added to `lost`.
        """
        if not isinstance(row, Mapping) or not self.fits(row):
            return None
        try:
            context = self.context(row, lost) if self.context else []
        except NotTextError:
            return None
        answers = [row[name] for name in self.sides]
        if len(answers) == 1:  # a list of both
            answers = [*answers[0]]
            lost.update(f"{name}, all but the first two" for name in self.sides if len(answers) > 2)
        chosen, rejected = (context is not None and _conversation(one, context, lost) for one in answers[:2])
        if not chosen or not rejected:
            return None
        spent = {*self.columns, *self.spent, *self.sides}
        lost.update({*_SIDES} & (row.keys() - spent))
        rest = {name: value for name, value in row.items() if name not in spent}
        return {**rest, "chosen": chosen, "rejected": rejected}


def _conversation(answer: Any, context: list[Message], lost: set[str]) -> list[Message] | None:
    """Return the answer behind the context, where it doesn't begin with the context itself."""
    if isinstance(answer, str):
        return [*context, Message(role="assistant", content=answer)] if context else transcript(answer)
    turns = messages([answer] if isinstance(answer, Mapping) else answer, lost)
    return turns if not turns or turns[: len(context)] == context else [*context, *turns]


_TEXTS = dict.fromkeys(_SIDES, str)
SHAPES = (
    Shape(
        "chosen_messages",
        "message lists named chosen_messages and rejected_messages",
        sides={"chosen_messages": list, "rejected_messages": list},
    ),
    Shape(
        "ms-swift",
        "messages, and rejected_messages or rejected_response (ms-swift)",
        sides={"messages": list, "rejected_messages": list},
        spent=("rejected_response",),
    ),
    Shape(
        "ms-swift-response",
        "messages and rejected_response (ms-swift)",
        context=_before_the_last,
        sides={"messages": list, "rejected_response": str},
    ),
    Shape(
        "query-response",
        "query, response and rejected_response (ms-swift)",
        {"query": str},
        context=_texts,
        sides={"response": str, "rejected_response": str},
        spent=("system", "history"),
    ),
    Shape(
        "alpaca-outputs",
        "alpaca with two outputs (instruction, input, output: [better, worse])",
        {"instruction": str},
        test=lambda row: len(row["output"]) > 1 and all(isinstance(text, str) for text in row["output"]),
        context=_texts,
        sides={"output": list},
        spent=("input", "system", "history"),
    ),
    Shape(
        "sharegpt",
        "ShareGPT conversations with chosen and rejected answers (LLaMA-Factory)",
        {"conversations": list},
        test=_are_answers,
        context=partial(_column, column="conversations"),
        spent=("system",),
    ),
    Shape(
        "trl-explicit",
        "a prompt list, and what follows it as chosen and rejected (TRL, explicit prompt)",
        {"prompt": list},
        test=_are_turns,
        context=lambda row, lost: messages(row["prompt"], lost),
        native=True,
    ),
    Shape(
        "axolotl",
        "messages with chosen and rejected answers (axolotl)",
        {"messages": list},
        test=_are_answers,
        context=partial(_column, column="messages"),
        spent=("system",),
    ),
    Shape(
        "trl-text-prompt",
        "a prompt text beside lists of messages",
        {"prompt": str},
        test=_are_turns,
        context=_beside_lists,
        native=True,
    ),
    Shape(
        "trl",
        "whole conversations as chosen and rejected (TRL)",
        test=lambda row: _are_turns(row, kinds=(str,)) and not _without_prompt(row),
        spent=("prompt",),
        native=True,
    ),
    Shape("typed", "whole conversations with typed content lists", test=_are_turns),
    Shape(
        "sharegpt-lists",
        "whole ShareGPT conversations (from, value) as chosen and rejected",
        test=partial(_are_turns, key="value"),
    ),
    Shape(
        "hh",
        "transcripts (Human: ... Assistant: ...)",
        test=lambda row: all(transcript(row[name]) for name in _SIDES),
        context=_in_transcripts,
        sides=_TEXTS,
        spent=("prompt",),
    ),
    Shape(
        "alpaca",
        "alpaca (instruction, input, chosen, rejected)",
        {"instruction": str},
        context=_texts,
        sides=_TEXTS,
        spent=("input", "system", "history"),
    ),
    Shape(
        "texts",
        "texts (prompt or question, chosen, rejected)",
        test=lambda row: _question(row) is not None,
        context=_texts,
        sides=_TEXTS,
        spent=("prompt", "question", "query", "system", "history"),
    ),
    Shape(kto.NAME, "answers with labels (prompt, completion, label: KTO)", test=kto.fits),
)
UNKNOWN = Shape("unknown", "no shape of pairs that is known", test=lambda row: False)


def _what_else(row: Row) -> str:
    """Return the name of what rows hold that are not pairs."""
    if "instruction" in row and "output" in row:
        return "answers without a counterpart (instruction, output)"
    if isinstance(row.get("conversations"), list) or isinstance(row.get("messages"), list):
        return "conversations without a rejected answer"
    if isinstance(row.get("prompt"), Mapping) and "replies" in row["prompt"]:
        return "message trees"
    if all(isinstance(row.get(name), str) for name in _SIDES):
        return "chosen and rejected texts without a prompt"
    return f"the columns {', '.join(repr(str(name)[:30]) for name in list(row)[:8]) or 'none'}"


def shape_of(rows: Iterable[Any]) -> Shape:
    """Return the shape of most of the first rows; `UNKNOWN`, with what was found as `what`, where none has any."""
    seen = [row for row in islice(rows, LOOKED_AT) if isinstance(row, Mapping)]
    found = (next((shape for shape in SHAPES if shape.fits(row)), None) for row in seen)
    if known := Counter(shape for shape in found if shape):
        return max(known, key=lambda shape: (known[shape], shape.native))
    return replace(UNKNOWN, what=_what_else(seen[0]) if seen else "no rows")


def recognise(rows: Iterable[Any]) -> tuple[Shape, Iterator[Any]]:
    """Return the shape of the rows, and all of them."""
    stream = iter(rows)
    start = list(islice(stream, LOOKED_AT))
    return shape_of(start), chain(start, stream)


def presented(rows: Iterable[Any]) -> Iterator[Any]:
    """Return the rows as a check is to see them, one for one.

    Those of a foreign shape come as pairs of whole conversations, others as they are, and so do those that don't fit
    the shape of the set.
    """
    shape, rows = recognise(rows)
    if shape.native or shape.name in (UNKNOWN.name, kto.NAME):
        return rows
    return (row if (pair := shape.pair(row, set())) is None else pair for row in rows)


def as_pairs(rows: Iterable[Any], shape: Shape, lost: Counter[str]) -> Iterator[dict[str, Any] | Skip]:
    """Yield every row as a pair of whole conversations, or a Skip; `lost` counts, by name, what a pair can't hold.

    Answers with labels are paired where a prompt has both labels. Raises InputError for `UNKNOWN`.
    """
    if shape.name == UNKNOWN.name:
        raise InputError(f"these are not pairs: {shape.what}", fix="the shapes that are read: docs/formats.md")
    if shape.name == kto.NAME:
        yield from kto.paired(rows, lost)
        return
    for number, row in enumerate(rows):
        gone = set[str]()
        pair = row if isinstance(row, Skip) else shape.pair(row, gone)
        lost.update(gone if pair is not None else ())
        yield Skip("shape", f"row {number}: not {shape.what}") if pair is None else pair
