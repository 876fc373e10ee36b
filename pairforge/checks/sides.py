"""A well-shaped row seen as two conversations with a common beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..types import Message


class Sides(NamedTuple):
    """Both conversations, whole; `shared` is the number of messages with which both begin."""

    row: Mapping[str, Any]
    prompt: Sequence[Message]
    chosen: Sequence[Message]
    rejected: Sequence[Message]
    shared: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Sides:
        """The sides of a row in the implicit shape, or in the explicit one (`prompt` list beside completions)."""
        prompt = row.get("prompt")
        context: list[Message] = prompt if isinstance(prompt, list) else []
        chosen, rejected = context + row["chosen"], context + row["rejected"]
        shared = 0
        for one, other in zip(chosen, rejected, strict=False):
            if one != other:
                break
            shared += 1
        return cls(row, context, chosen, rejected, shared)

    @property
    def context(self) -> Sequence[Message]:
        """The messages before the first assistant turn that differs."""
        return self.chosen[: self.shared]

    def pointer(self, side: str, index: int) -> str:
        """JSON pointer to a message of a side, given its place in the whole conversation."""
        ahead = len(self.prompt)
        return f"/prompt/{index}" if index < ahead else f"/{side}/{index - ahead}"


def both(sides: Sides) -> tuple[tuple[str, Sequence[Message]], ...]:
    """The names of the sides with their conversations."""
    return (("chosen", sides.chosen), ("rejected", sides.rejected))


def answer(turns: Sequence[Message]) -> str:
    """The text of the assistant's turns among these."""
    return "\n\n".join(turn["content"] for turn in turns if turn["role"] == "assistant")
