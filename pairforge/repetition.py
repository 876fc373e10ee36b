"""Loop detection: the one test for a text that repeats itself, as a model does whose training went wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from operator import eq

import regex

from .text import UNSPACED

_TIMES = 4
_WORD = regex.compile(rf"[{UNSPACED}]|[\p{{L}}\p{{M}}\p{{N}}--{UNSPACED}]+", regex.VERSION1)
_ASCII_WORDS = bytes(byte if chr(byte).isalnum() else ord(" ") for byte in range(128)) + b" " * 128
"""A table for `bytes.translate` that leaves what `_WORD` finds in ASCII, in less time, and a space of all else."""
_LONG_WORD = 30  # characters
_EQUAL_RUN = re.compile(b"\x01+")


def repeats(text: str) -> bool:
    """Return True if the same words occur at least four times in a row, twelve words or more in all: a loop.

    Case, spaces and punctuation are ignored. In a script without spaces each character is a word, and so it is within
    a word of more than thirty characters. Numbers belong to what repeats, but do not count as words, so rows of zeros
    pass; a loop of signs and numbers alone must be 200 characters long. "ha ha ha", a list, the rules of a table and
    most refrains pass; a song with the same line four times in a row does not.
    """
    folded = text.casefold()
    found = folded.encode().translate(_ASCII_WORDS).decode().split() if folded.isascii() else _WORD.findall(folded)
    words = [part for word in found for part in (word if len(word) > _LONG_WORD else (word,))]
    return _has_loop(words, least=12, longest=200, skip_numbers=True) or _has_loop(
        "".join(text.split()), least=200, longest=16, skip_numbers=False
    )


def _has_loop(tokens: Sequence[str], *, least: int, longest: int, skip_numbers: bool) -> bool:
    """Return True if up to `longest` tokens occur four times in a row, with at least `least` tokens in all."""
    if len(tokens) < least or _too_varied(tokens, least, longest):
        return False
    counted_before = [0]
    for token in tokens:
        counted_before.append(counted_before[-1] + (not skip_numbers or not token.isnumeric()))
    for period in range(1, min(len(tokens) // _TIMES, longest) + 1):
        same = bytes(map(eq, tokens, tokens[period:]))
        if b"\x01" * ((_TIMES - 1) * period) not in same:
            continue
        for run in _EQUAL_RUN.finditer(same):
            start, end = run.start(), run.end() + period
            if end - start >= _TIMES * period and counted_before[end] - counted_before[start] >= least:
                return True
    return False


def _too_varied(tokens: Sequence[str], least: int, longest: int) -> bool:
    """Return True only if there is no loop: by how often tokens occur, and how many there are in a stretch."""
    size = least // 2  # so that one of the stretches is within the loop
    if size > longest and all(
        len({*tokens[at : at + size]}) > longest for at in range(0, len(tokens) - size + 1, size)
    ):
        return True
    often = {token for token, count in Counter(tokens).items() if count >= _TIMES}
    return b"\x01" * least not in bytes(map(often.__contains__, tokens))
