"""What is found in a text."""

from __future__ import annotations

from typing import NamedTuple

INSIDE = ("word", "version", "identifier", "tag", "url", "email", "path", "code")
"""What a name may be part of: there it is left as it is, unless asked for."""


class Hit(NamedTuple):
    """One place where a rule applies: text[start:end] is to become `target`; `source` is the rule's old name."""

    start: int
    end: int
    source: str
    target: str


class Found(NamedTuple):
    """An old name in a text, and why it stays: part of one of `INSIDE`, or of a "new" name; None where it does not."""

    hit: Hit
    stays: str | None
