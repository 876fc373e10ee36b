"""What a row asks: the messages before its answers, from all columns that hold a part of the question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..chat_text import bare_answer, form_of, transcript
from ..conversation import CONTENT_KEYS, MESSAGE_ROLES, ConversationError, conversation, objects_in, role_of, text_of
from ..text import json_value, kind_of, one_line
from ..types import Message, Row
from .columns import QUESTIONS, SYSTEMS, Names

BESIDE = ("input", "context", "passage", "document", "article", "paragraph", "schema", "initial_reason_steps")
"""Columns that hold a part of the question beside the prompt."""
TALKS = ("prompt", "messages", "conversations", "context", "input", "question", "query", "instruction")
"""Columns that may hold the turns before the answers, the first of them that does."""
_TEXT_KEYS = (
    "text", "content", "value", "answer", "response", "completion", "output", "generation", "full_text",
    "generated_text", "message", "body", "prompt", "question", "post",
)  # fmt: skip
_ASKED_KEYS = ("user", "human", "question", "query", "prompt", "instruction", "input", "q")
_SAID_KEYS = ("assistant", "bot", "answer", "response", "output", "gpt", "reply", "a")


class MisfitError(Exception):
    """A row that does not fit its shape: what is wrong, and `part`, where (`row`, `side`, `message` or `role`)."""

    def __init__(self, what: str, part: str = "side", path: str = "") -> None:
        super().__init__(what)
        self.part, self.path = part, path


@dataclass
class Cells:
    """A row that is being read. `names` are those of its file; `lost` is what a pair can't hold, `spent` the columns
    that the pair is made of.
    """

    row: Row
    names: Names
    lost: set[str] = field(default_factory=set)
    spent: set[str] = field(default_factory=set)

    def take(self, name: str) -> Any:
        """Return the value of a column that becomes a part of the pair."""
        self.spent.add(name)
        return self.row.get(name)

    def rest(self) -> dict[str, Any]:
        """Return the other columns, which are kept as they are."""
        return {name: value for name, value in self.row.items() if name not in self.spent}

    def called(self, name: str) -> str:
        """Return the name of a column as it is in the file, for a message."""
        return f"`{one_line(self.names.name(name), 40)}`"


def decoded(value: Any) -> Any:
    """Return the messages that a text holds as JSON, a list or one object; every other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        found = json_value(value)
        return found if holds_turns(found) and all(map(_says, found if isinstance(found, list) else [found])) else value
    return value


def _says(turn: Any) -> bool:
    """Return whether a message says anything: an object with a `role` may be the answer to a question about people."""
    return not {"tool_calls", "function_call", *CONTENT_KEYS}.isdisjoint(turn)


def holds_turns(value: Any) -> bool:
    """Return whether a value is a message, or a list of them."""
    turns = value if isinstance(value, list) else [value]
    return bool(turns) and all(isinstance(turn, Mapping) and role_of(turn) is not None for turn in turns)


def is_talk(value: Any) -> bool:
    """Return whether a value holds turns: a message or a list of them, as JSON, too, or in an object."""
    value = unwrapped(decoded(value))
    return role_of(value) is not None or (isinstance(value, list) and holds_turns(value))


def has_talk(row: Row, *names: str) -> bool:
    """Return whether one of these columns holds turns."""
    return any(isinstance(row.get(name), (list, str, Mapping)) and is_talk(row[name]) for name in names)


def text_in(value: Any) -> str | None:
    """Return the text that a value is, or that an object holds under one of the usual keys; None where there is none.

    Raises NotTextError for typed parts of other kinds.
    """
    if isinstance(value, Mapping) and role_of(value) is None and "type" not in value:
        parts = value.get("parts")
        if isinstance(parts, list) and all(isinstance(part, Mapping) and "text" in part for part in parts):
            return "".join(str(part["text"]) for part in parts)
        return next((value[key] for key in _TEXT_KEYS if isinstance(value.get(key), str)), None)
    return text_of(value) if isinstance(value, (str, list)) else None


def turns_in(value: Any, cells: Cells, called: str) -> list[Message]:
    """Return the messages of a list of turns. Raises MisfitError for what can't be read."""
    try:
        value = decoded(value)
        return conversation([value] if role_of(value) is not None else value, cells.lost)
    except ConversationError as error:
        part = "role" if "role" in str(error) else "message"
        raise MisfitError(f"{called}: {one_line(error, 120)}", part, called.strip("`")) from error


def context_of(cells: Cells) -> list[Message]:
    """Return the messages before the answers, under the system message, after the history."""
    turns, name = _talk(cells)
    if not turns or turns[-1]["role"] != "user":
        turns = [*turns, *_asked(cells, turns, name)]
    return under_system(cells, [*_history(cells, turns), *turns])


def _talk(cells: Cells) -> tuple[list[Message], str]:
    """Return the turns of the first column that holds any, and its name."""
    for name in TALKS:
        value = cells.row.get(name)
        if isinstance(value, Mapping) and is_talk(value.get("messages")):  # OpenAI's `input`
            cells.spent.add(name)
            others = {f"{name}.{key}" for key, held in value.items() if key not in ("messages", "tools") and held}
            cells.lost.update(others - {"input.parallel_tool_calls"})
            cells.row = {**cells.row, **({"tools": value["tools"]} if value.get("tools") else {})}
            return turns_in(value["messages"], cells, cells.called(name)), name
        if isinstance(value, (list, str, Mapping)) and is_talk(value):
            cells.spent.add(name)
            return turns_in(value, cells, cells.called(name)), name
        if isinstance(value, list) and value and name in ("messages", "conversations"):
            if all(isinstance(text, str) for text in value):
                cells.spent.add(name)
                return in_turn(value), name
            turns_in(value, cells, cells.called(name))  # says what is wrong
    return [], ""


def in_turn(texts: Iterable[str]) -> list[Message]:
    """Return texts as turns of the user and the assistant, in turn."""
    return [Message(role=("user", "assistant")[at % 2], content=text) for at, text in enumerate(texts)]


def _asked(cells: Cells, turns: list[Message], talk: str) -> list[Message]:
    """Return the turn of the user: the texts of all columns that hold a part of the question, each once."""
    parts: list[str] = []
    for name in (*QUESTIONS, *BESIDE):
        value = cells.row.get(name)
        if name == talk or value is None or (name in BESIDE[2:] and not (parts and " " in str(value))):
            continue
        text = value if isinstance(value, str) else text_in(value) if isinstance(value, Mapping) else None
        if text is None:
            continue
        cells.spent.add(name)
        if isinstance(value, Mapping):
            cells.lost.update(f"{cells.names.name(name)}.{key}" for key, held in value.items() if held and held != text)
        if text.strip() and not any(text.strip() in part for part in parts):
            parts = [part for part in parts if part.strip() not in text]
            parts.append(text)
    said = {turn["content"] for turn in turns if isinstance(turn.get("content"), str)}
    if not turns and not parts and any(isinstance(cells.row.get(name), str) for name in QUESTIONS):
        parts = [""]  # asked, but without a word
    parts = [part for part in parts if part not in said]
    if not parts:
        return []
    return of_text(parts[0]) if len(parts) == 1 else _joined(parts)


def _joined(parts: list[str]) -> list[Message]:
    whole = next((index for index, part in enumerate(parts) if form_of(part)), None)
    if whole is None:
        return [Message(role="user", content="\n".join(parts))]
    rest = [Message(role="user", content=part) for index, part in enumerate(parts) if index != whole]
    return [*rest, *of_text(parts[whole])]


def of_text(text: str) -> list[Message]:
    """Return the turns of a transcript without the answer that it leaves open; any other text is what the user asks."""
    turns = transcript(text) or [Message(role="user", content=text)]
    return turns[:-1] if turns[-1]["role"] == "assistant" and not turns[-1]["content"].strip() else turns


def _history(cells: Cells, turns: list[Message]) -> list[Message]:
    """Return the turns of `history`: exchanges of two texts, objects with both, turns, or texts in turn."""
    value = decoded(cells.take("history"))
    if isinstance(value, str) and value.strip().startswith("["):
        value = value if (found := json_value(value)) is None else found
    if not value:
        return []
    if isinstance(value, str):
        return [] if any(turn.get("content") == value for turn in turns) else of_text(value)
    if is_talk(value):
        return turns_in(value, cells, cells.called("history"))
    made: list[Message] = []
    for index, exchange in enumerate(value if isinstance(value, list) else [value]):
        if is_object := isinstance(exchange, Mapping):
            both = (_ASKED_KEYS, _SAID_KEYS)
            exchange = [next((exchange[key] for key in keys if key in exchange), None) for keys in both]
        if isinstance(exchange, str):
            made.append(Message(role=("user", "assistant")[index % 2], content=exchange))
        elif isinstance(exchange, (list, tuple)) and [type(text) for text in exchange] == [str, str]:
            made += in_turn(exchange)
        else:
            kind = "objects" if is_object else "values"
            raise MisfitError(f"{cells.called('history')} holds {kind} that are not exchanges of two texts")
    return made


def system_of(cells: Cells) -> str:
    """Return the text of the column of the system message, empty where there is none."""
    for name in SYSTEMS:
        value = cells.row.get(name)
        if value is None or value == "":
            continue
        try:
            text = text_of(value.get("content", value.get("value"))) if role_of(value) else text_in(value)
        except ConversationError:
            text = None
        if text is None and is_talk(value):
            text = str(turns_in(value, cells, cells.called(name))[0].get("content", ""))
        if text:
            cells.spent.add(name)
            return text
    return ""


def under_system(cells: Cells, turns: list[Message]) -> list[Message]:
    """Return the turns under the message of the column `system`, where they bring none of their own."""
    cells.spent.update(name for name in SYSTEMS if cells.row.get(name) in (None, ""))
    system = system_of(cells)
    if not system:
        return turns
    if turns and turns[0]["role"] == "system":
        if str(turns[0].get("content")).strip() != system.strip():
            cells.lost.add(
                next(cells.names.name(name) for name in SYSTEMS if name in cells.spent and cells.row.get(name))
            )
        return turns
    return [Message(role="system", content=system), *turns]


def side(cells: Cells, value: Any, name: str, context: list[Message], templated: bool = False) -> list[Message]:
    """Return the whole conversation that a side is: its own where it is whole, else the answer behind the context.

    Raises MisfitError where it can't be read.
    """
    called = cells.called(name)
    value = unwrapped(decoded(value))
    if isinstance(value, str):
        if not context and (turns := transcript(value)):
            return turns
        return [*context, Message(role="assistant", content=bare_answer(value) if templated else value)]
    if value is None and name not in cells.row:
        raise MisfitError(f"{called} is missing", "row")
    if value is None:
        raise MisfitError(f"{called} is null", "side", name)
    if isinstance(value, Mapping) and role_of(value) is None and (text := text_in(value)) is not None:
        return [*context, Message(role="assistant", content=text)]
    if isinstance(value, list) and not value:
        raise MisfitError(f"{called} is an empty list", "side", name)
    if not isinstance(value, (list, Mapping)):
        raise MisfitError(f"{called} is {kind_of(value)}, not a text or a list of messages", "side", name)
    turns = turns_in(value, cells, called)
    if not turns:
        raise MisfitError(f"{called} holds no messages", "side", name)
    if context and turns[: len(context)] == context and len(turns) > len(context):
        return turns
    bare = [turn for turn in context if turn["role"] != "system"]
    if context and bare and turns[: len(bare)] == bare and len(turns) > len(bare):
        return [*context[: len(context) - len(bare)], *turns]
    return [*context, *turns]


def unwrapped(value: Any) -> Any:
    """Return the turns of an object that holds them as `messages`, under its `system`, or as a struct of lists."""
    if not isinstance(value, Mapping) or isinstance(value.get("role"), str):
        return value
    if isinstance(turns := value.get("messages"), list) and holds_turns(turns):
        system = value.get("system")
        return [{"role": "system", "content": system}, *turns] if isinstance(system, str) and system else turns
    if value and all(isinstance(cells, list) and cells for cells in value.values()):
        turns = objects_in(value)
        return turns if holds_turns(turns) else value
    return value


def is_whole(value: Any) -> bool:
    """Return whether a side is a conversation that begins before the answer."""
    value = unwrapped(decoded(value))
    if isinstance(value, str):
        return bool(form_of(value)) and bool(transcript(value))
    first = value[0] if isinstance(value, list) and value else value
    role = role_of(first)
    return isinstance(value, list) and role in MESSAGE_ROLES and role != "assistant"
