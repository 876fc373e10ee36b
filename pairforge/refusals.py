"""Refusals: the one place that distinguishes an answer that only declines from one that helps."""

from __future__ import annotations

from .resources import compiled

_SHORT = 700


def refuses(text: str) -> bool:
    """Return True if a short answer does nothing but decline: longer ones mostly help with something."""
    if len(text) > _SHORT or not compiled("refusals", "beginning").match(text):
        return False
    return compiled("refusals", "refusal").match(text.strip(" \t\r\n\"'*").lower()) is not None
