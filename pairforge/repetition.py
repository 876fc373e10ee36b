"""Whether a text repeats itself, as a model does whose training went wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import eq

import regex

_TIMES = 4
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_TOKEN = regex.compile(rf"[{_SPACELESS}]|[\p{{L}}\p{{M}}\p{{N}}--{_SPACELESS}]+", regex.VERSION1)
_LONG = 30  # characters of a word
_EQUAL = re.compile(b"\x01+")


def repeats(text: str) -> bool:
    """Whether the same words stand at least four times on end, twelve words or more of it: a loop.

    Case, spaces and punctuation don't count. Where a script has no spaces each character is a word, and so it is within
    a word of more than thirty. Numbers belong to what repeats, but are no words: rows of zeros pass. Of signs and
    numbers, it takes 200 in a loop. So "ha ha ha", a list, the rules of a table and most refrains pass; a line that a
    song has four times on end does not.
    """
    return _loops(_tokens(text), least=12, longest=200, words=True) or _loops(
        "".join(text.split()), least=200, longest=16, words=False
    )


def _tokens(text: str) -> list[str]:
    found = (match.group().casefold() for match in _TOKEN.finditer(text))
    return [token for word in found for token in (word if len(word) > _LONG else (word,))]


def _loops(tokens: Sequence[str], *, least: int, longest: int, words: bool) -> bool:
    """Whether a part of up to `longest` tokens stands four times on end, in all `least` words, or tokens, or more."""
    until = [0]
    for token in tokens:
        until.append(until[-1] + (not words or not token.isnumeric()))
    for period in range(1, min(len(tokens) // _TIMES, longest) + 1):
        same = bytes(map(eq, tokens, tokens[period:]))
        if b"\x01" * ((_TIMES - 1) * period) not in same:
            continue
        for run in _EQUAL.finditer(same):
            start, end = run.start(), run.end() + period
            if end - start >= _TIMES * period and until[end] - until[start] >= least:
                return True
    return False
