"""Split reasoning blocks from answers: `<think>...</think>` and the usual other spellings."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..special_tokens import THOUGHT, THOUGHT_ENDS

_OPEN = re.compile(
    rf"\s*(?:{'|'.join(THOUGHT_ENDS)}"
    r"|<unused94>(?P<unused>)"
    # Channels, whose marks a tokenizer may drop as special tokens.
    r"|(?P<channel>(?:<\|channel\|>)?analysis(?:<\|message\|>)?)(?=[\s\S]*assistant(?:<\|channel\|>)?final))",
    re.IGNORECASE,
)
_CLOSES = {
    **{next(iter(re.compile(start).groupindex)): end for start, end in THOUGHT_ENDS.items()},
    "unused": r"<unused95>",
    "channel": r"(?:<\|end\|>)?(?:<\|start\|>)?assistant(?:<\|channel\|>)?final(?:<\|message\|>)?",
}
# A template may open the block in the prompt, so that the answer holds its end alone.
_LONE = re.compile("|".join(THOUGHT_ENDS.values()).replace("{tag}", THOUGHT), re.IGNORECASE)


class ReasoningSplit(NamedTuple):
    """`reasoning + body` is the whole text; the reasoning holds its marks and the white space after them."""

    reasoning: str
    body: str


def split_reasoning(text: str) -> ReasoningSplit | None:
    """Return the leading block of reasoning, empty if there is none, and the rest; None for a block without an end.

    A second block directly after the first belongs to it.
    """
    at = 0
    while opened := _OPEN.match(text, at):
        close = next(end for name, end in _CLOSES.items() if opened[name] is not None)
        close = close.replace("{tag}", re.escape(opened["tag"] or ""))
        if (closed := re.compile(close, re.IGNORECASE).search(text, opened.end())) is None:
            return None
        at = closed.end()
    if not at and (lone := _LONE.search(text)):
        at = lone.end()
    at += len(text[at:]) - len(text[at:].lstrip()) if at else 0
    return ReasoningSplit(text[:at], text[at:])
