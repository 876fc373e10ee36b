"""What a reader who knows nothing can notice in an answer: words, first and last words, length, style."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]

KINDS = ("term", "length", "style", "first", "last", "words")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTERS = rf"[^\W\d_{_UNSPACED}]+"
_WORD = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['’]{_LETTERS})?|\d+|[^\w\s]|_")
_NO_SPACE = re.compile(rf"[{_UNSPACED}]")


def words(text: str) -> list[str]:
    """Words of scripts that write spaces, single characters of those that don't, numbers, and punctuation marks."""
    return _WORD.findall(text)


def phrase(tokens: Words) -> str:
    """Words as a reader would write them."""
    text = ""
    for token in tokens:
        glued = not text or _NO_SPACE.match(token) or _NO_SPACE.match(text[-1]) or not token[0].isalnum()
        text += token if glued else f" {token}"
    return text


def phrases(tokens: Sequence[str]) -> set[Words]:
    """All runs of one to three words."""
    return {*zip(tokens), *zip(tokens, tokens[1:]), *zip(tokens, tokens[1:], tokens[2:])}  # noqa: B905, RUF007


def opening(tokens: Sequence[str]) -> set[Words]:
    """The first word, the first two, the first three."""
    return {tuple(tokens[:n]) for n in (1, 2, 3) if n <= len(tokens)}


def closing(tokens: Sequence[str]) -> set[Words]:
    """The last word, the last two, the last three."""
    return {tuple(tokens[-n:]) for n in (1, 2, 3) if n <= len(tokens)}


def holds(tokens: Sequence[str], run: Words) -> bool:
    """The words stand in the text, one behind the other."""
    if not run or run[0] not in tokens:
        return False
    size = len(run)
    return size == 1 or any(tuple(tokens[at : at + size]) == run for at in range(len(tokens) - size + 1))


def _count(pattern: str, flags: int = 0) -> Callable[[str], float]:
    compiled = re.compile(pattern, flags)
    return lambda text: len(compiled.findall(text))


def _marks(*marks: str) -> Callable[[str], float]:
    return lambda text: sum(text.count(mark) for mark in marks)


STYLE: dict[str, Callable[[str], float]] = {
    "lines": _marks("\n"),
    "paragraphs": _marks("\n\n"),
    "headers": _count(r"^#{1,6} ", re.M),
    "bullet points": _count(r"^\s*[-*•] ", re.M),
    "numbered points": _count(r"^\s*\d+[.)、]", re.M),
    "bold text": _count(r"\*\*[^*\n]+\*\*"),
    "code blocks": _marks("```"),
    "inline code": _count(r"(?<!`)`[^`\n]+`(?!`)"),
    "table rows": _count(r"^\|.*\|", re.M),
    "links": _marks("http://", "https://"),
    "emoji": _count("[\u2600-\u27bf\U0001f300-\U0001faff]"),
    "exclamation marks": _marks("!", "！"),
    "question marks": _marks("?", "？"),
    "commas": _marks(",", "，", "、"),
    "colons": _marks(":", "："),
    "brackets": _marks("(", "（"),
    "quotation marks": _marks('"', "“", "「"),
    "digits": _count(r"\d"),
    "capital letters": _count(r"[A-Z]"),
    "Chinese characters": _count("[\u4e00-\u9fff]"),
    "first person": _count(r"\b(?:I|I'm|my|me)\b|我"),
    "second person": _count(r"\b(?:you|your)\b|[你您]", re.I),
    "apologies and refusals": _count(
        r"\b(?:sorry|apologi[sz]e|I can(?:no|')t|I'm unable|as an AI)|抱歉|对不起|作为一个人工智能", re.I
    ),
    "affirmative openings": _count(
        r"\A\W*(?:certainly|sure|of course|absolutely|great question|happy to help|当然|好的)", re.I
    ),
    "spaces at the start": _count(r"\A\s"),
    "spaces at the end": _count(r"\s\Z"),
    "endings with a full stop": _count(r"[.。!！?？]\s*\Z"),
    "carriage returns": _marks("\r"),
    "invisible characters": _count("[\u00a0\u200b-\u200f\u2060\ufeff]"),
    "template tokens": _count(r"<\|[^|<>\s]{1,40}\|>|</?s>|\[/?INST\]|</?think>|<noinput>|<nooutput>"),
}
"""Each habit of style, as the number of its occurrences."""

LENGTH: dict[str, Callable[[str, Sequence[str]], float]] = {
    "characters": lambda text, tokens: len(text),
    "words": lambda text, tokens: len(tokens),
}
