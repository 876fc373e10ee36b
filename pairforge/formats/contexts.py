"""What was said before the answers: a conversation, or a question with a system message and a history around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..types import Message
from .turns import messages, said, text_of, transcript

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
        turns += [said("user", old[0]), said("assistant", old[1])]
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
        return [said("user", text)]
    return turns[:-1] if turns[-1]["role"] == "assistant" and not turns[-1]["content"] else turns


def _under(row: Row, turns: list[Message], lost: set[str]) -> list[Message]:
    system = text_of(row.get("system"))
    if not system:
        return turns
    if turns and turns[0]["role"] == "system":
        lost.add("system")
        return turns
    return [said("system", system), *turns]


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
