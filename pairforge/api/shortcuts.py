"""The verb `shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from .. import formats
from ..checks.shortcuts import Report, audit
from ..run import Run
from .runs import pairs_file


def shortcuts(
    data: str | PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
    *,
    expect: Sequence[str] = (),
    output: str | None = None,
    quiet: bool = False,
) -> Report:
    """What tells chosen from rejected most cheaply, in the pairs of a run folder or file, or in rows.

    None is the latest run. `expect` names terms that are meant to differ; for the pairs of a correction run its new
    names are added. Raises InputError for a row that is no pair.
    """
    expect = [expect] if isinstance(expect, str) else expect
    if data is not None and not isinstance(data, (str, PathLike)):
        return audit(data, expect)
    path = pairs_file(data, output, quiet)
    return audit(formats.read_rows(path), [*expect, *_intended(path)])


def _intended(pairs: Path) -> list[str]:
    """The new names of the correction run that the pairs belong to, if they belong to one."""
    if pairs.name != "pairs.jsonl" or not (pairs.parent / "run.json").exists():
        return []
    rules = Run.load(pairs.parent).settings.get("rules") or {}
    return list(rules.values()) if isinstance(rules, Mapping) else []
