"""Texts from outside: what cannot be seen in them, how to show them safely, and how far two are apart."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

# Character classes: what is written between the brackets of a pattern.
CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
"""Control characters other than tab and line ends."""
BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Marks of the direction of writing."""
FILLERS = "\u115f\u1160\u3164\uffa0"
"""Hangul letters that are drawn as nothing."""
JOINERS = "\u00ad\u034f\u17b4\u17b5\u180b-\u180f\u200b-\u200d"
"""What joins or separates letters: some scripts are not written without it."""
VARIATIONS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Variation selectors: they change how the character before them is drawn."""
TAGS = "\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
"""Format characters that no text needs but those of flags."""
INVISIBLE = JOINERS + BIDI + FILLERS + VARIATIONS + TAGS
"""All that is drawn as nothing, spaces and control characters apart."""


def characters(ranges: str) -> str:
    """Return all characters of a class such as "a-cx"."""
    return re.sub("(.)-(.)", lambda found: "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1))), ranges)


_HIDDEN = re.compile(f"[{CONTROL}\r\u2028\u2029\ud800-\udfff{JOINERS}{BIDI}{FILLERS}{TAGS}]")


def visible(text: str) -> str:
    """Return a text from outside made safe to print: control and invisible characters shown as escapes."""
    return _HIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def escaped(text: str) -> str:
    """Return what `visible` does, with line ends and tabs as escapes, too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def one_line(text: object, length: int = 120) -> str:
    """Return what comes from outside, cut and made safe for a message of one line."""
    return visible(" ".join(str(text).split())[:length])


def error_line(error: BaseException) -> str:
    """Return an error in one line of bounded length, led by its type where the text alone would say little."""
    line = one_line(error, 300)
    return line if isinstance(error, (OSError, ValueError)) else f"{type(error).__name__}: {line}"


def lone_surrogate(text: str) -> str | None:
    """Return the first half of a surrogate pair in a text: UTF-8 cannot hold it."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return text[error.start]
    return None


def without_surrogates(text: str) -> str:
    """Return a text with U+FFFD in place of halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def byte_size(count: float) -> str:
    """Return a number of bytes for a reader: 12.3 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    """Return with how many items (tokens, messages) both sequences begin."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many tokens must be inserted, deleted or replaced to make one of the other (Levenshtein distance).

    A column of the matrix at once, as the bits of two integers: where a step down is +1, and where -1 (Myers 1999, A
    fast bit-vector algorithm, as simplified by Hyyro 2003).
    """
    if not one:
        return len(other)
    places: dict[Hashable, int] = {}
    for index, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << index
    whole, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = whole, 0, len(one)
    for token in other:
        same = places.get(token, 0)
        level = (((same & up) + up) ^ up) | same
        right, left = down | ~(level | up), up & level
        distance += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        up, down = (left | ~(same | down | right)) & whole, right & (same | down) & whole
    return distance
