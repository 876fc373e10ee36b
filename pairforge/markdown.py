"""Markdown for cards: texts from outside in code spans and fences that they can't leave."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from .resources import patterns
from .text import visible

LONGEST = 600
"""Characters of a text from outside; what is longer is shortened."""
PRIVATE_SERVER = "(a private server)"
_LONGEST_PATH = 4096
_FILES = (
    "jsonl?|[ct]sv|parquet|arrow|txt|md|ya?ml|toml|xlsx?|gz|zst|bz2|xz|zip|py|ipynb|gguf|safetensors|bin|pt|db|sqlite"
)
_PATH = re.compile(
    rf"""(?:/[^/\s]+/|~[^/\\\s]*[\\/]|\.\.?[\\/]|[A-Za-z]:[\\/]|\\\\\w)  # absolute, of a home, relative, of Windows
    |\S+[\\/].*\.(?:{_FILES})(?::\w+)?\Z  # a file in a folder, or a function in it
    |[^\s/]+/[^\s/]+/\S*\Z  # deeper than the name of a repository""",
    re.VERBOSE,
)
_LOCAL = re.compile(rf"\A/(?:home|Users|root|tmp|mnt|media|scratch|private)/|\A/[^/]+/.*\.(?:{_FILES})(?::\w+)?\Z")
_END = r"""[^\s"'`,;()\[\]{}<>|]"""
_INSIDE = re.compile(
    rf"""(?<![^\s"'=,:;([{{<])/{_END}+|https?://(?:[\d.]+(?=[/:\s]|\Z)|[^\s/:.]+(?=[/:\s]|\Z)|[^\s/:]+:\d){_END}*"""
)
"""Absolute paths, and addresses of servers of a network, within a text."""
_SERVER = re.compile(r"(?:localhost|[\w.-]+\.\w+|\[[0-9a-f:]+\]):\d{2,5}(?:/\S*)?")


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


def without_places(value: Any) -> Any:
    """Return JSON data without the folders and servers of whoever made it: see `public_name`."""
    if isinstance(value, Mapping):
        return {public_name(str(key)): without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    return public_name(value) if isinstance(value, str) else value


def public_name(text: str) -> str:
    """Return a text for a public card: of a local path its last part, of a URL nothing but a well-known public server.

    A name such as `org/model` that exists on this disk is a path. Within every other text what is plainly a file, in
    the home of a user, or a server of a network is replaced alike.
    """
    if " + " in text and "\n" not in text:  # the names of the judges of a jury, with their weights
        parts = (re.match(r"(\d\S* x )?(.*)", part) for part in text.split(" + "))
        return " + ".join(f"{part[1] or ''}{public_name(part[2])}" for part in parts if part)
    if "\n" in text or len(text) > _LONGEST_PATH:
        return _INSIDE.sub(lambda found: _without_folder(found[0]), text)
    if found := re.match(r"([a-z][a-z0-9+.-]*)://+([^/?#\s]*)[^?#\s]*", text, re.IGNORECASE):
        if found[1].lower() == "file":
            return PurePath(found[0].replace("\\", "/")).name
        public = found[1].lower() == "hf" or found[2].lower() in patterns("public_servers")["hosts"]
        return found[0] if public else PRIVATE_SERVER
    if _SERVER.fullmatch(text):
        return PRIVATE_SERVER
    if _PATH.match(text) or (re.fullmatch(r"\S*/\S+", text) and os.path.exists(text)):
        return PurePath(text.replace("\\", "/")).name
    return _INSIDE.sub(lambda found: _without_folder(found[0]), text)


def _without_folder(place: str) -> str:
    if not place.startswith("/"):
        return PRIVATE_SERVER
    return PurePath(place).name if _LOCAL.search(place) else place


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
