"""Markdown for cards: texts from outside in code spans and fences that they can't leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from .text import visible

LONGEST = 600
"""Characters of a text from outside; what is longer is shortened."""


def code_span(value: object, *, cell: bool = False, longest: int = LONGEST) -> str:
    r"""Return a code span of one line, in which nothing is a link, a mention or markup.

    In a `cell` of a table each `|` is written `\|`, which GitHub and the Hub show as `|` in code spans, too;
    backslashes before it are doubled, for renderers that count them.
    """
    text = visible(shortened(str(value), longest)).replace("\n", "\\n").replace("\t", "\\t") or " "
    if cell:
        text = re.sub(r"(\\*)\|", r"\1\1\\|", text)
    ticks = "`" * (1 + _longest_ticks(text))
    return f"{ticks} {text} {ticks}" if "`" in text else f"{ticks}{text}{ticks}"


def fence(text: str, language: str) -> str:
    """Return a fenced code block; the fence is longer than any within."""
    ticks = "`" * max(3, 1 + _longest_ticks(text))
    return f"{ticks}{language}\n{visible(text)}\n{ticks}"


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return the text, cut with a mark behind it where it is longer."""
    return text if len(text) <= longest else text[:longest] + " [...]"


def without_local_paths(value: Any) -> Any:
    """Return JSON data in which only the last part is left of each absolute path: folders of a machine are private."""
    if isinstance(value, Mapping):
        return {str(key): without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(item) for item in value]
    if isinstance(value, str) and re.match(r"/[^/\s]+/|~/|[A-Za-z]:[\\/]", value) and "\n" not in value:
        return PurePath(value.replace("\\", "/")).name
    return value


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
