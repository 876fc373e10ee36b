"""PF3xx, shortcuts: what tells chosen from rejected most cheaply, and would be learned instead of the preference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .report import Cue, Report

__all__ = ["Cue", "Report", "audit"]


def audit(rows: Iterable[Mapping[str, Any]], expect: Sequence[str] = (), *, level: float = 0.05) -> Report:
    """Tests every word, phrase, first and last words, length and habit of style for standing on one side only.

    `expect` names what is meant to differ ("Deep Qwen"): reported apart, and never an error. `level` is the share of
    false findings that is allowed. Raises InputError for a row that is no pair of message lists, and where no pair
    has two different answers.
    """
    from .pipeline import audit as run

    return run(rows, expect, level)
