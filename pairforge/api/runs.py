"""Which pairs are meant: those of a run, of a file, or of the latest run."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from .. import report
from ..formats import read_rows
from ..run import latest, out_dir
from .build import correct


def latest_run(output: str | None = None, *, quiet: bool = False) -> Path:
    """The folder of the run that was made last; where there is none, the default correction run is made first."""
    run = latest(out_dir(output))
    if run is None:
        if not quiet:
            report.console().print(
                f'no run under {out_dir(output)}: making one with pairforge correct --from Qwen --to "Deep Qwen"',
                markup=False,
            )
        run = correct("Qwen", "Deep Qwen", output=output, quiet=quiet).run
    elif not quiet:
        report.console().print(f"using the latest run: {run.path}", markup=False)
    return run.path


def pairs_file(data: str | PathLike[str] | None = None, output: str | None = None, quiet: bool = False) -> Path:
    """The pairs behind what a user names: a file, a run folder, or nothing for the latest run."""
    path = Path(data) if data else latest_run(output, quiet=quiet)
    return path / "pairs.jsonl" if path.is_dir() else path


def read_pairs(data: str | PathLike[str] | None = None, output: str | None = None) -> list[Mapping[str, Any]]:
    """The pairs of a file or run folder, by default of the latest run. Raises InputError where a row can't be read."""
    return list(read_rows(pairs_file(data, output)))
