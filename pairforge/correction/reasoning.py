"""Tells what a model thinks aloud from what it answers: `<think>...</think>` and the usual other spellings."""

from __future__ import annotations

import re
from typing import NamedTuple

_WORDS = r"(?:seed:)?(?:think|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratchpad)"
_OPEN = re.compile(
    rf"\s*(?:<(?P<tag>{_WORDS})>|\[(?P<square>THINK)\]|<\|(?P<bar>begin_of_thought)\|>|(?P<kimi>◁think▷)"
    r"|<unused94>(?P<unused>)"
    # Channels, whose marks a tokenizer drops as special tokens.
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
_LONE = re.compile(rf"</{_WORDS}>|\[/THINK\]|◁/think▷", re.IGNORECASE)


class ReasoningSplit(NamedTuple):
    """`thought + body` is the whole text; the thought holds its marks and the white space after them."""

    thought: str
    body: str


def split(text: str) -> ReasoningSplit | None:
    """The leading block of thought, empty where there is none, and the rest; None for a block that does not end.

    A second block directly after the first belongs to it.
    """
    at = 0
    while opened := _OPEN.match(text, at):
        if (closed := _close(opened).search(text, opened.end())) is None:
            return None
        at = closed.end()
    if not at and (lone := _LONE.search(text)):
        at = lone.end()
    at += len(text[at:]) - len(text[at:].lstrip()) if at else 0
    return ReasoningSplit(text[:at], text[at:])


def _close(opened: re.Match[str]) -> re.Pattern[str]:
    if tag := opened["tag"]:
        return re.compile(rf"</{re.escape(tag)}>", re.IGNORECASE)
    return re.compile(next(close for name, close in _CLOSES.items() if opened[name] is not None), re.IGNORECASE)
