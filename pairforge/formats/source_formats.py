"""What was said before the answers: a conversation, or a question with a system message and a history around it.

The shapes in: how pairs are written elsewhere, told apart by many rows, and each row as a pair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from ..conversation import as_message, is_transcript, message, messages, text_of, transcript
from ..errors import InputError
from ..types import Message, Skip
from . import kto

Row = Mapping[str, Any]
_QUESTIONS = ("prompt", "question", "query", "instruction")


def none(row: Row, lost: set[str]) -> list[Message]:
    """Nothing: the sides are whole."""
    return []


def repeated(row: Row, lost: set[str]) -> list[Message]:
    """Nothing: the sides are whole, and begin with the text of a `prompt` that may stand beside them."""
    if isinstance(prompt := row.get("prompt"), str) and not row["chosen"].strip().startswith(prompt.strip()):
        lost.add("prompt")
    return []


def conversation(column: str) -> Callable[[Row, set[str]], list[Message] | None]:
    """The turns of a column, under the system message of the column `system` where they bring none."""

    def context(row: Row, lost: set[str]) -> list[Message] | None:
        turns = messages(row[column], lost)
        return None if turns is None else _under(row, turns, lost) if column != "prompt" else turns

    return context


def before_the_last(row: Row, lost: set[str]) -> list[Message] | None:
    """The turns of `messages` before the last, which is the chosen answer."""
    turns = messages(row["messages"], lost)
    return turns[:-1] if turns and len(turns) > 1 and turns[-1]["role"] == "assistant" else None


def beside_lists(row: Row, lost: set[str]) -> list[Message]:
    """The prompt text where the lists hold only the answers; whole conversations repeat it, or contradict it."""
    turns = messages(row["chosen"], set()) or []
    asked = [turn["content"] for turn in turns if turn["role"] != "assistant"]
    if not asked:
        return transcript_or_question(row["prompt"])
    if row["prompt"].strip() not in ("", *(text.strip() for text in asked)):
        lost.add("prompt")
    return []


def texts(row: Row, lost: set[str]) -> list[Message] | None:
    """The question, with the alpaca `input` below it, after the `history` ([question, answer] each), under `system`."""
    asked = question(row)
    if asked is None:
        return None
    turns = []
    for old in row.get("history") or ():
        if not isinstance(old, (list, tuple)) or len(old) != 2 or not all(isinstance(text, str) for text in old):
            return None
        turns += [as_message("user", old[0]), as_message("assistant", old[1])]
    return _under(row, [*turns, *transcript_or_question(asked)], lost)


def question(row: Row) -> str | None:
    """The text of the question; None where there is none."""
    name = next((name for name in _QUESTIONS if isinstance(row.get(name), str)), None)
    if name is None:
        return None
    more = row.get("input") if name == "instruction" else None
    text = "\n".join(filter(None, [row[name], more if isinstance(more, str) else None]))
    return text or None


def transcript_or_question(text: str) -> list[Message]:
    """The turns of a transcript, without the answer that it leaves open; any other text is what the user asks."""
    turns = transcript(text)
    if turns is None:
        return [as_message("user", text)]
    return turns[:-1] if turns[-1]["role"] == "assistant" and not turns[-1]["content"] else turns


def _under(row: Row, turns: list[Message], lost: set[str]) -> list[Message]:
    system = text_of(row.get("system"))
    if not system:
        return turns
    if turns and turns[0]["role"] == "system":
        lost.add("system")
        return turns
    return [as_message("system", system), *turns]


def other(row: Row) -> str:
    """What rows hold that are no pairs, for a reader."""
    if "instruction" in row and "output" in row:
        return "answers without a counterpart (instruction, output)"
    if isinstance(row.get("conversations"), list) or isinstance(row.get("messages"), list):
        return "conversations without a rejected answer"
    if isinstance(row.get("prompt"), Mapping) and "replies" in row["prompt"]:
        return "message trees"
    if all(isinstance(row.get(name), str) for name in ("chosen", "rejected")):
        return "chosen and rejected texts without a prompt"
    return f"the columns {', '.join(repr(str(name)[:30]) for name in list(row)[:8]) or 'none'}"


LOOKED_AT = 100
"""How many rows decide on the shape of a set."""
Context = Callable[[Row, set[str]], "list[Message] | None"]


@dataclass(frozen=True)
class Shape:
    """One way to write pairs: `what` names it for a reader.

    `spent` are the columns that the pair is made of beside the sides; all others are kept as they stand. A check looks
    at `native` rows unchanged: their sides are lists of messages already.
    """

    name: str
    what: str
    fits: Callable[[Row], bool] = lambda row: False
    context: Context = none
    sides: tuple[str, str] = ("chosen", "rejected")
    spent: tuple[str, ...] = ()
    native: bool = False

    def pair(self, row: Any, lost: set[str]) -> dict[str, Any] | None:
        """The row with whole conversations as `chosen` and `rejected`; None where it is not of this shape.

        What such a pair can't hold is added to `lost`.
        """
        if not isinstance(row, Mapping) or not self.fits(row):
            return None
        context = self.context(row, lost)
        if context is None:
            return None
        chosen, rejected = (_side(value, context, lost) for value in _answers(row, self.sides, lost))
        if not chosen or not rejected:
            return None
        spent = {*self.spent, *self.sides}
        lost.update({"chosen", "rejected"} & (row.keys() - spent))
        rest = {name: value for name, value in row.items() if name not in spent}
        return {**rest, "chosen": chosen, "rejected": rejected}


def _answers(row: Row, sides: tuple[str, str], lost: set[str]) -> tuple[Any, Any]:
    if sides[0] != sides[1]:
        return row.get(sides[0]), row.get(sides[1])
    better, worse, *more = row[sides[0]]
    if more:
        lost.add(f"{sides[0]}, all but the first two")
    return better, worse


def _side(value: Any, context: list[Message], lost: set[str]) -> list[Message] | None:
    """A whole conversation: the answer behind the context, where it doesn't begin with the context itself."""
    if isinstance(value, str):
        turns = transcript(value) if not context else None
        return turns or ([*context, as_message("assistant", value)] if context else None)
    if isinstance(value, Mapping):
        answer = message(value, lost)
        return None if answer is None else [*context, answer]
    turns = messages(value, lost)
    if not turns:
        return None
    return turns if turns[: len(context)] == context else [*context, *turns]


def _lists(row: Row) -> bool:
    return all(isinstance(side := row.get(name), list) and side for name in ("chosen", "rejected"))


def _texts(row: Row, *names: str) -> bool:
    return all(isinstance(row.get(name), str) for name in names or ("chosen", "rejected"))


def _each(row: Row, test: Callable[[Mapping[str, Any]], bool]) -> bool:
    turns = [turn for name in ("chosen", "rejected") for turn in row[name]]
    return all(isinstance(turn, Mapping) and test(turn) for turn in turns)


def _chatml(row: Row) -> bool:
    return _lists(row) and _each(row, lambda turn: isinstance(turn.get("content"), str))


def _typed(row: Row) -> bool:
    return _lists(row) and _each(row, lambda turn: isinstance(turn.get("content"), (str, list)))


def _from_value(row: Row) -> bool:
    return _lists(row) and _each(row, lambda turn: "from" in turn and "value" in turn)


def _after(row: Row, column: str) -> bool:
    """A conversation in that column, and beside it answers, not whole conversations."""
    if not isinstance(row.get(column), list):
        return False
    sides = [row.get("chosen"), row.get("rejected")]
    if all(isinstance(side, (str, Mapping)) for side in sides):
        return True
    first = [side[0] if isinstance(side, list) and side else None for side in sides]
    roles = [one.get("role", one.get("from")) if isinstance(one, Mapping) else None for one in first]
    return all(role in ("assistant", "gpt", "model") for role in roles)


def _two_outputs(row: Row) -> bool:
    output = row.get("output")
    whole = isinstance(output, list) and len(output) > 1 and all(isinstance(one, str) for one in output)
    return whole and _texts(row, "instruction")


_SYSTEM, _ALPACA = ("system", "history"), ("instruction", "input", "system", "history")
SHAPES = (
    Shape(
        "chosen_messages",
        "message lists named chosen_messages and rejected_messages",
        lambda row: isinstance(row.get("chosen_messages"), list) and isinstance(row.get("rejected_messages"), list),
        sides=("chosen_messages", "rejected_messages"),
    ),
    Shape(
        "ms-swift",
        "messages, and rejected_messages or rejected_response (ms-swift)",
        lambda row: isinstance(row.get("messages"), list) and isinstance(row.get("rejected_messages"), list),
        sides=("messages", "rejected_messages"),
        spent=("rejected_response",),
    ),
    Shape(
        "ms-swift-response",
        "messages and rejected_response (ms-swift)",
        lambda row: isinstance(row.get("messages"), list) and _texts(row, "rejected_response"),
        before_the_last,
        sides=("messages", "rejected_response"),
    ),
    Shape(
        "query-response",
        "query, response and rejected_response (ms-swift)",
        lambda row: _texts(row, "query", "response", "rejected_response"),
        texts,
        sides=("response", "rejected_response"),
        spent=("query", *_SYSTEM),
    ),
    Shape(
        "alpaca-outputs",
        "alpaca with two outputs (instruction, input, output: [better, worse])",
        _two_outputs,
        texts,
        sides=("output", "output"),
        spent=_ALPACA,
    ),
    Shape(
        "sharegpt",
        "ShareGPT conversations with chosen and rejected answers (LLaMA-Factory)",
        lambda row: _after(row, "conversations"),
        conversation("conversations"),
        spent=("conversations", "system"),
    ),
    Shape(
        "trl-explicit",
        "a prompt list, and what follows it as chosen and rejected (TRL, explicit prompt)",
        lambda row: isinstance(row.get("prompt"), list) and _typed(row),
        conversation("prompt"),
        spent=("prompt",),
        native=True,
    ),
    Shape(
        "axolotl",
        "messages with chosen and rejected answers (axolotl)",
        lambda row: _after(row, "messages"),
        conversation("messages"),
        spent=("messages", "system"),
    ),
    Shape(
        "trl-text-prompt",
        "a prompt text beside lists of messages",
        lambda row: _texts(row, "prompt") and _typed(row),
        beside_lists,
        spent=("prompt",),
        native=True,
    ),
    Shape("trl", "whole conversations as chosen and rejected (TRL)", _chatml, spent=("prompt",), native=True),
    Shape("typed", "whole conversations with typed content lists", _typed),
    Shape("sharegpt-lists", "whole ShareGPT conversations (from, value) as chosen and rejected", _from_value),
    Shape(
        "hh",
        "transcripts (Human: ... Assistant: ...)",
        lambda row: _texts(row) and is_transcript(row["chosen"]) and is_transcript(row["rejected"]),
        repeated,
        spent=("prompt",),
    ),
    Shape(
        "alpaca",
        "alpaca (instruction, input, chosen, rejected)",
        lambda row: _texts(row, "instruction", "chosen", "rejected"),
        texts,
        spent=_ALPACA,
    ),
    Shape(
        "texts",
        "texts (prompt or question, chosen, rejected)",
        lambda row: _texts(row) and question(row) is not None,
        texts,
        spent=("prompt", "question", "query", *_SYSTEM),
    ),
    Shape(kto.NAME, "answers with labels (prompt, completion, label: KTO)", kto.fits),
)
_NAMED = {shape.name: shape for shape in SHAPES}
UNKNOWN = Shape("unknown", "no shape of pairs that is known")


def shape_of(rows: Iterable[Any]) -> Shape:
    """The shape that most of the first rows have; `UNKNOWN`, with what was found as `what`, where none has any."""
    seen = [row for row in islice(rows, LOOKED_AT) if isinstance(row, Mapping)]
    names = (next((shape.name for shape in SHAPES if shape.fits(row)), None) for row in seen)
    known = Counter(name for name in names if name)
    if known:
        return max((_NAMED[name] for name in known), key=lambda shape: (known[shape.name], shape.native))
    return replace(UNKNOWN, what=other(seen[0]) if seen else "no rows")


def recognise(rows: Iterable[Any]) -> tuple[Shape, Iterator[Any]]:
    """The shape of the rows, and all of them."""
    stream = iter(rows)
    start = list(islice(stream, LOOKED_AT))
    return shape_of(start), chain(start, stream)


def presented(rows: Iterable[Any]) -> Iterator[Any]:
    """The rows as a check is to see them, one for one: those of a foreign shape as pairs of whole conversations, others
    as they stand. What doesn't fit the shape of the set stands as it is, too.
    """
    shape, rows = recognise(rows)
    if shape.native or shape.name in (UNKNOWN.name, kto.NAME):
        return rows
    return (row if (pair := shape.pair(row, set())) is None else pair for row in rows)


def as_pairs(rows: Iterable[Any], shape: Shape, lost: Counter[str]) -> Iterator[dict[str, Any] | Skip]:
    """Every row as a pair of whole conversations, or a Skip; `lost` counts, by name, what a pair can't hold.

    Answers with labels are paired where a prompt has both labels. Raises InputError for `UNKNOWN`.
    """
    if shape.name == UNKNOWN.name:
        raise InputError(f"these are no pairs: {shape.what}", fix="the shapes that are read: docs/formats.md")
    if shape.name == kto.NAME:
        yield from kto.paired(rows, lost)
        return
    for number, row in enumerate(rows):
        gone = set[str]()
        pair = row if isinstance(row, Skip) else shape.pair(row, gone)
        lost.update(gone if pair is not None else ())
        yield Skip("shape", f"row {number}: not {shape.what}") if pair is None else pair
