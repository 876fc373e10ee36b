"""TODO pairforge/text.py"""

from __future__ import annotations

import re


def visible(text: str) -> str:
    """A text from outside made safe to print: control, bidi and zero-width characters shown as escapes."""
    return _HIDDEN.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)


def one_line(text: object, length: int = 120) -> str:
    """What comes from outside, cut and made safe for a message of one line."""
    return visible(" ".join(str(text).split())[:length])
