"""The features of a text that are made of tokens: words, their parts and shapes, first and last words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

Words: TypeAlias = tuple[str, ...]
Split: TypeAlias = Callable[[Sequence[str]], list[list[str]]]
"""Turns texts into lists of tokens; a model's tokenizer takes the place of the words."""

KINDS = ("term", "length", "style", "first", "last", "words", "parts", "pattern")
"""The families of features; the feature matrix has their indices."""
LONGEST = {"first": 3, "last": 3, "words": 3, "parts": 1, "pattern": 4}
"""The most tokens that a feature of a kind has."""

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
    """A property of an answer that can be counted; `tokens` is empty for style and length."""

    kind: str
    name: str
    tokens: Words = ()


def tokenize(text: str) -> list[str]:
    """Return words, numbers and marks, with the white space between them that is more than one space.

    Scripts with spaces give words, others single characters.
    """
    return _TOKEN.findall(text)


def tokenize_all(texts: Sequence[str]) -> list[list[str]]:
    """Return the tokens of many texts: the `Split` that is used where no other is named."""
    return list(map(tokenize, texts))


def is_word(token: str) -> bool:
    """Return whether a token is more than white space."""
    return not token.isspace()


def words(text: str) -> list[str]:
    """Return words, numbers and punctuation marks."""
    return list(filter(is_word, tokenize(text)))


def join_words(tokens: Sequence[str]) -> str:
    """Return words as a text, with spaces where its script writes them."""
    text = ""
    for token in tokens:
        glued = not text or _NO_SPACE.match(token) or _NO_SPACE.match(text[-1]) or not token[:1].isalnum()
        text += token if glued else f" {token}"
    return text


def as_written(run: Words, texts: Sequence[str]) -> str:
    """Return a run of words as most of the texts that hold it write it, spaces and line breaks included."""
    found = Counter[str]()
    for text in texts:
        spans = [match.span() for match in _TOKEN.finditer(text) if is_word(match.group())]
        at = next(occurrences([text[start:end] for start, end in spans], run), None)
        if at is not None:
            found[text[spans[at][0] : spans[at + len(run) - 1][1]]] += 1
    return found.most_common(1)[0][0] if found else join_words(run)


def ngrams(tokens: Sequence[str], longest: int) -> Iterator[Words]:
    """Yield all runs of up to so many tokens."""
    for size in range(1, longest + 1):
        yield from zip(*(tokens[start:] for start in range(size)), strict=False)


def contains(tokens: Sequence[str], ngram: Words) -> bool:
    """Return whether the tokens of an n-gram follow each other in a text."""
    return next(occurrences(tokens, ngram), None) is not None


def occurrences(tokens: Sequence[str], ngram: Words) -> Iterator[int]:
    """Yield the places where an n-gram begins."""
    size, at = len(ngram), -1
    while size:
        try:
            at = tokens.index(ngram[0], at + 1)
        except ValueError:
            return
        if size == 1 or tuple(tokens[at : at + size]) == ngram:
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
CLASSES = {
    "a": "word in small letters",
    "Aa": "capitalised word",
    "AA": "word in capitals",
    "A": "single capital letter",
    "aA": "word of mixed case",
    "a'a": "word with an apostrophe",
    "0": "digit",
    "☺": "emoji",
    "я": "Cyrillic word",
    "α": "Greek word",
    "가": "Hangul word",
    "ع": "Arabic word",
    "か": "hiragana or katakana",
    "字": "character of a script without spaces, such as Chinese",
    "é": "word with Latin letters beyond ASCII",
    "↵": "line break",
    "␣": "run of spaces",
    "⇥": "tab",
}
"""What the signs of a word shape stand for: any ..."""
_SCRIPT = [(shown, re.compile(f"[{range}]")) for shown, range in _SCRIPTS.items()]
COLLAPSED = frozenset({"a", *_SCRIPTS})
"""Shapes of which several in a row count as one."""


@lru_cache(1 << 18)
def word_shape(token: str) -> str:
    """Return the shape of a token: a, Aa, AA, A for words by case, 0 for a digit, marks unchanged, white space visible.

    Words of other scripts have the sign of the script: я, α, 字, か ...; é for Latin letters beyond ASCII; ☺ for emoji.
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


def word_shapes(tokens: Sequence[str]) -> list[str]:
    """Return the shapes of the tokens between ^ and $, plain words in a row as one."""
    made = ["^"]
    for token in tokens:
        shape = word_shape(token)
        if shape != made[-1] or shape not in COLLAPSED:
            made.append(shape)
    return [*made, "$"]


@lru_cache(1 << 18)
def parts(token: str) -> Words:
    """Return what related words have in common: the lower-case word, the first five letters, the last three."""
    folded = token.strip().lower()
    if not folded[:1].isalpha() or _NO_SPACE.match(folded):
        return ()
    return (folded, f"{folded[:5]}-", f"-{folded[-3:]}") if len(folded) > 5 else (folded,)
