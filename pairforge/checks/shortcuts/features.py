"""What a reader who knows nothing can notice in an answer: words, their parts and forms, first and last words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Words: TypeAlias = tuple[str, ...]
Split: TypeAlias = Callable[[Sequence[str]], list[list[str]]]
"""Texts as lists of tokens, for what reads words in another way: a model's own tokenizer."""

KINDS = ("term", "length", "style", "first", "last", "words", "parts", "pattern")
"""The families, in the order of the numbers that the votes know them by."""
LONGEST = {"first": 3, "last": 3, "words": 3, "parts": 1, "pattern": 4}
"""How many tokens a feature of the kind holds at most."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0962\u0963\u0980-\u0983\u09bc-\u09cd"
_LETTERS = rf"(?:[^\W\d_{_UNSPACED}][{_MARKS}]*)+"
_TOKEN = re.compile(rf"[{_UNSPACED}]|{_LETTERS}(?:['’]{_LETTERS})?|\d+|[^\w\s]|_|\s{{2,}}|[^\S ]")
_NO_SPACE = re.compile(rf"[{_UNSPACED}]")
_EMOJI = re.compile("[\u2600-\u27bf\u2b50-\u2b55\U0001f000-\U0001faff]")
_SHOWN = str.maketrans({"\n": "↵", " ": "␣", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"})


class Feature(NamedTuple):
    """One thing that can be noticed; `tokens` is empty for style and length."""

    kind: str
    name: str
    tokens: Words = ()


def tokens(text: str) -> list[str]:
    """Words, numbers and marks, with the runs of white space between them that are more than one space.

    Words of scripts that write spaces; single characters of those that don't.
    """
    return _TOKEN.findall(text)


def split(texts: Sequence[str]) -> list[list[str]]:
    """The tokens of many texts."""
    return list(map(_TOKEN.findall, texts))


def is_word(token: str) -> bool:
    """Whether a token is more than white space."""
    return not token.isspace()


def words(text: str) -> list[str]:
    """Words, numbers and punctuation marks."""
    return [token for token in tokens(text) if is_word(token)]


def phrase(run: Sequence[str]) -> str:
    """Words as a reader would write them."""
    text = ""
    for token in run:
        glued = not text or _NO_SPACE.match(token) or _NO_SPACE.match(text[-1]) or not token[:1].isalnum()
        text += token if glued else f" {token}"
    return text


def sound(text: str) -> str:
    """A text that can be written as UTF-8: lone surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def runs(sequence: Sequence[str], longest: int) -> Iterator[Words]:
    """All runs of up to so many tokens."""
    for size in range(1, longest + 1):
        yield from zip(*(sequence[start:] for start in range(size)), strict=False)


def holds(sequence: Sequence[str], run: Words) -> bool:
    """The tokens stand in the text, one behind the other."""
    return next(places(sequence, run), None) is not None


def places(sequence: Sequence[str], run: Words) -> Iterator[int]:
    """Where a run of tokens begins."""
    size, at = len(run), -1
    while size:
        try:
            at = sequence.index(run[0], at + 1)
        except ValueError:
            return
        if size == 1 or tuple(sequence[at : at + size]) == run:
            yield at


_SCRIPTS = {
    "я": "\u0400-\u052f",
    "α": "\u0370-\u03ff",
    "가": "\uac00-\ud7af\u1100-\u11ff",
    "ع": "\u0600-\u06ff",
    "か": "\u3040-\u30ff",
    "字": _UNSPACED,
    "é": "\u00aa-\u024f\u1e00-\u1eff",
}
_SCRIPT = [(shown, re.compile(f"[{range}]")) for shown, range in _SCRIPTS.items()]
RUNNING = frozenset({"a", *_SCRIPTS})
"""Forms of which a run counts as one."""


@lru_cache(1 << 18)
def form(token: str) -> str:
    """The form of a token: a, Aa, AA, A for words by their case, 0 a digit; marks as they stand; white space shown.

    Words of other scripts by the script: я, α, 字, か ...; é for Latin letters beyond ASCII; ☺ for emoji.
    """
    if token.isspace():
        return token[:3].translate(_SHOWN)
    token = token.strip()
    if token.isdigit():
        return "0" * min(len(token), 5)
    if not token[0].isalnum():
        return "☺" if _EMOJI.match(token) else token
    if not token.isascii() and (script := next((shown for shown, letters in _SCRIPT if letters.search(token)), None)):
        return script
    for mark in "'’":
        if mark in token:
            return f"a{mark}a"
    if token.islower():
        return "a"
    if token.isupper():
        return "AA" if len(token) > 1 else "A"
    return "Aa" if token[1:].islower() else "aA"


def forms(sequence: Sequence[str]) -> list[str]:
    """The forms of the tokens between ^ and $, a run of plain words as one."""
    made = ["^"]
    for token in sequence:
        shape = form(token)
        if shape != made[-1] or shape not in RUNNING:
            made.append(shape)
    return [*made, "$"]


@lru_cache(1 << 18)
def parts(token: str) -> Words:
    """What related words have in common: the word in small letters, the first five letters, the last three."""
    folded = token.strip().lower()
    if not folded[:1].isalpha() or _NO_SPACE.match(folded):
        return ()
    return (folded, f"{folded[:5]}-", f"-{folded[-3:]}") if len(folded) > 5 else (folded,)
