"""Split reasoning blocks from answers: `<think>...</think>` and the usual other spellings."""

from __future__ import annotations

import re
from typing import NamedTuple

_WORDS = r"(?:seed:)?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratchpad)"
_OPEN = re.compile(
    rf"\s*(?:<(?P<tag>{_WORDS})>|\[(?P<square>THINK)\]|<\|(?P<bar>begin_of_thought)\|>|(?P<kimi>◁think▷)"
    r"|<unused94>(?P<unused>)"
    # Channels, whose marks a tokenizer may drop as special tokens.
    r"|(?P<channel>(?:<\|channel\|>)?analysis(?:<\|message\|>)?)(?=[\s\S]*assistant(?:<\|channel\|>)?final))",
    re.IGNORECASE,
)
_CLOSES = {
    "square": r"\[/THINK\]",
    "bar": r"<\|end_of_thought\|>",
    "kimi": r"◁/think▷",
    "unused": r"<unused95>",
    "channel": r"(?:<\|end\|>)?(?:<\|start\|>)?assistant(?:<\|channel\|>)?final(?:<\|message\|>)?",
}
# A template may open the block in the prompt, so that the answer holds its end alone.
_LONE_CLOSE = re.compile(rf"</{_WORDS}>|\[/THINK\]|◁/think▷", re.IGNORECASE)


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
        tag = opened["tag"]
        close = rf"</{re.escape(tag)}>" if tag else next(_CLOSES[name] for name in _CLOSES if opened[name] is not None)
        if (closed := re.compile(close, re.IGNORECASE).search(text, opened.end())) is None:
            return None
        at = closed.end()
    if not at and (lone := _LONE_CLOSE.search(text)):
        at = lone.end()
    at += len(text[at:]) - len(text[at:].lstrip()) if at else 0
    return ReasoningSplit(text[:at], text[at:])
