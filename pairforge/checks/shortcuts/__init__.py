"""PF3xx, shortcuts: what tells chosen from rejected most cheaply, and would be learned instead of the preference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .audit import ShortcutChecker
from .report import Cue, Report, Severity3

if TYPE_CHECKING:
    from .features import Split

__all__ = ["Cue", "Report", "ShortcutChecker", "audit"]


def audit(
    rows: Iterable[Mapping[str, Any]],
    expect: Sequence[str] = (),
    *,
    level: float = 0.05,
    most: int | None = 20_000,
    jobs: int = 1,
    seed: int = 0,
    by: Split | None = None,
    fail_on: Severity3 = "high",
) -> Report:
    """Tests every word, phrase, form, first and last words, length and habit of style for standing on one side only.

    `expect` names what is meant to differ ("Deep Qwen"): reported apart, and no part of the verdict. `level` is the
    share of false findings that is allowed. Features are looked for in at most `most` prompts (None: all), drawn by
    `seed`, and those found are counted in all rows by `jobs` processes; rows that can be read once only are kept on
    disk for that. `by` splits texts into other tokens than words. `fail_on` is the verdict from which the report is
    not ok.

    Raises InputError for a row that is no pair of message lists, where no pair has two different answers, and for an
    empty term.
    """
    from .audit import Settings
    from .audit import audit as run

    if not all(term.strip() for term in expect):
        raise InputError("a term that is expected is empty", fix="give a word or a phrase: --expect TERM")
    return run(rows, Settings(tuple(expect), level, most, jobs, seed, by, fail_on))
