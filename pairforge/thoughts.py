"""Thoughts: what a model writes before its answer, and how the two are told apart, stored, and put into a message.

An `Answer` has its thought apart: whatever is renamed, judged or measured is the answer alone.
`data/patterns/thoughts.txt` has the marks.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from .resources import patterns
from .text import without_surrogates
from .types import Answer

THOUGHT_KEYS = ("reasoning_content", "thinking", "reasoning")
"""Keys of a message that hold what the assistant thought before it answered."""


def _marks(*sections: str) -> dict[str, str]:
    lines = [line for section in sections for line in patterns("thoughts")[section]]
    return dict(line.split(" -> ") for line in lines)


THOUGHT = "|".join(sorted(patterns("thoughts")["tags"], key=len, reverse=True))
"""The names of the XML tags that enclose a thought, as a pattern; in any case."""
_WORDS = _marks("words")
_BLOCKS = {f"<{tag}>": f"</{tag}>" for tag in patterns("thoughts")["tags"]} | _marks("blocks")
_FRAMES = {False: _marks("answers"), True: _marks("answers", "after_thoughts")}


def _any(texts: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))


_MARK = re.compile(_any(_BLOCKS), re.I)
_BEGIN = re.compile(rf"\s*({_any(_BLOCKS | _WORDS)})", re.I)
_BEGUN = re.compile(rf"({_any(_BLOCKS | _WORDS)})\s*\Z", re.I)
_END = {begin.lower(): re.compile(re.escape(end), re.I) for begin, end in (_BLOCKS | _WORDS).items()}
# A template may open the block in the prompt, so that the answer holds its end alone.
_LONE = re.compile(_any({*_BLOCKS.values(), *_WORDS.values() & _FRAMES[True].keys()} - {"<|end|>", "<|eom|>"}), re.I)
_ENDS = re.compile(f"[{re.escape(''.join({mark[-1] for mark in (*_BLOCKS.values(), *_FRAMES[False])}))}]")
"""With one of these ends each mark that a text may hold but for the first: most answers have none of them."""
_TAIL = 64  # tokens of a prompt in which a thought may be begun


class SplitText(NamedTuple):
    """A text told apart: its thought without marks, where the answer begins, what encloses it, if the thought ends."""

    thought: str
    start: int
    frame: str
    whole: bool


def split(text: str, begun: str = "") -> SplitText:
    """Tell the thoughts at the start of a text from the answer behind them; several in a row belong together.

    `begun` is the mark by which the prompt has begun a thought, as `begun_by` returns it.
    """
    if not (begun or _ENDS.search(text) or _BEGIN.match(text)):
        return SplitText("", 0, "", True)
    at, thoughts, begin = 0, list[str](), begun.lower()
    while (opened := _BEGIN.match(text, at)) or begin:
        again = opened and (not begin or opened[1].lower() == begin)
        start, begin = (opened.end(), opened[1].lower()) if opened and again else (at, begin)
        if (closed := _END[begin].search(text, start)) is None:
            if begin in map(str.lower, _WORDS) and not begun:
                break
            return SplitText("\n".join([*thoughts, text[start:].strip()]), len(text), "", False)
        thoughts.append(text[start : closed.start()].strip())
        at, begin = _answer_from(closed), ""
    if not at and (lone := _LONE.search(text)) and not _MARK.search(text, 0, lone.start()):
        thoughts, at = [text[: lone.start()].strip()], _answer_from(lone)
    frame = next((begin for begin in _FRAMES[at > 0] if text[at:].lstrip().startswith(begin)), "")
    return SplitText("\n".join(filter(None, thoughts)), text.index(frame, at) + len(frame), frame, True)


def _answer_from(end: re.Match[str]) -> int:
    """Return where the answer begins behind the end of a thought, which may enclose the answer as well."""
    return end.start() if end[0].upper() in _FRAMES[True] else end.end()


def begun_by(prompt: str) -> str:
    """Return the mark of a thought with which a prompt ends, as that of DeepSeek-R1 does; empty where there is none."""
    found = _BEGUN.search(prompt)
    return found[1] if found else ""


def answer_of(text: str, finish: Literal["stop", "length"] = "stop", tokens: int = 0) -> Answer:
    """Return an answer with its thought apart. One whose thought has no end is cut off, however the text ended."""
    parts = split(text)
    if not parts.start:
        return Answer(text, finish, tokens)
    return Answer(_bare(text[parts.start :], parts), finish if parts.whole else "length", tokens, parts.thought)


def answer_of_tokens(
    tokenizer: Any, prompt: Sequence[int], ids: Sequence[int], finish: Literal["stop", "length"] = "stop"
) -> Answer:
    """Return what `answer_of` does for generated tokens, whose thought is found before special tokens are dropped."""
    parts, start = split_tokens(tokenizer, prompt, ids)
    text = _bare(tokenizer.decode(ids[start:], skip_special_tokens=True), parts)
    return Answer(text, finish if parts.whole else "length", len(ids), parts.thought)


def split_tokens(tokenizer: Any, prompt: Sequence[int], ids: Sequence[int]) -> tuple[SplitText, int]:
    """Return the parts of the text of generated tokens, and how many of the tokens are before the answer."""

    def length(count: int) -> int:
        return len(tokenizer.decode(ids[:count]))

    parts = split(tokenizer.decode(ids), begun_by(tokenizer.decode(prompt[-_TAIL:])))
    return parts, bisect_left(range(len(ids)), parts.start, key=length)


def _bare(text: str, parts: SplitText) -> str:
    """Return an answer without surrogates, spaces around it, and the end of what encloses it."""
    return without_surrogates(text).strip().removesuffix(_FRAMES[True].get(parts.frame, "")).rstrip()


def written(answer: Answer) -> str:
    """Return an answer behind its thought as one text, of which `answer_of` makes the same again."""
    if not answer.thought:
        return answer.text
    return f"<think>\n{answer.thought}" + (
        f"\n</think>\n\n{answer.text}" if answer.text or answer.finish == "stop" else ""
    )


def marks_in(text: str) -> tuple[str, str]:
    """Return the marks of a thought that a template or a vocabulary has; those of most models where it has none."""
    begin = next((begin for begin in _BLOCKS if begin in text), "<think>")
    return (
        (f"{begin}\n", f"\n{_BLOCKS[begin]}\n\n")
        if begin[1:-1] in patterns("thoughts")["tags"]
        else (begin, _BLOCKS[begin])
    )
