"""The pairs that a user names: the latest run, a run, a file, a folder, a data set on the Hub, stdin, or rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from .. import formats
from ..console import note
from ..errors import InputError
from ..options import PairData
from ..readers import files_of, hub_id
from ..readers.spool import RowSpool
from ..run import Run, latest, out_dir

_DEFAULT_RUN = 'pairforge correct --from Qwen --to "Deep Qwen"'


def latest_run(output: str | None = None, *, make: bool = False, quiet: bool = False) -> Path:
    """Return the folder of the run that was made last.

    Args:
        output: The folder that holds the runs.
        make: Make the default correction run first where there is none, and say so.
        quiet: Do not say on stderr which run is used.

    Raises InputError where there is no run and none is to be made.
    """
    if run := latest(out_dir(output)):
        if not quiet:
            note(f"using the latest run: {run.path}")
        return run.path
    if not make:
        raise InputError(f"no run under {out_dir(output)}", fix=f"make one: {_DEFAULT_RUN}")
    from .correct import correct

    if not quiet:
        note(f"no run under {out_dir(output)}: making one with {_DEFAULT_RUN}")
    return correct("Qwen", "Deep Qwen", output=output, quiet=quiet).run.path


def pairs_file(
    data: str | PathLike[str] | None = None, output: str | None = None, quiet: bool = False, *, make: bool = False
) -> Path:
    """Return the path to read pairs from.

    For a run, named by its folder or by its name under `output`, and for the latest run where nothing is named, that is
    its `pairs.jsonl`. A file, a folder of files, a Hub id and `-` are returned as they are. `make` is that of
    `latest_run`.
    """
    path = Path(data) if data else latest_run(output, make=make, quiet=quiet)
    if not path.exists() and (named := out_dir(output) / path).exists():
        path = named
    return path / "pairs.jsonl" if any((path / name).exists() for name in ("run.json", "pairs.jsonl")) else path


def read_pairs(data: str | PathLike[str] | None = None, output: str | None = None) -> list[Mapping[str, Any]]:
    """Return the pairs of a file or run folder, by default of the latest run.

    Raises InputError where a row can't be read, and where there is no run.
    """
    return list(formats.read_rows(pairs_file(data, output)))


class PairInput:
    """The pairs that a user named or gave.

    Iterating gives the rows as pairs where they are of any known shape, and raises InputError at the first that can't
    be read. As a context manager it makes rows that can be read only once (an iterator, stdin) readable again.
    """

    path: Path | None
    """The path that the pairs are read from; None for rows."""

    def __init__(self, data: PairData, output: str | None = None, *, make: bool = False, quiet: bool = False) -> None:
        self._rows: Iterable[Any] | None = None
        if data is None or isinstance(data, (str, PathLike)):
            self.path = pairs_file(data, output, quiet, make=make)
        else:
            self.path, self._rows = None, data

    @property
    def name(self) -> str:
        """The path as text; empty for rows."""
        return str(self.path or "")

    @cached_property
    def run(self) -> Run | None:
        """The run that the pairs belong to, if any. Raises InputError where its `run.json` can't be read."""
        if self.path is None or self.path.name != "pairs.jsonl" or not (self.path.parent / "run.json").exists():
            return None
        return Run.load(self.path.parent)

    @property
    def new_names(self) -> list[str]:
        """The new names of the correction run that the pairs belong to, if any."""
        rules = self.run.settings.get("rules") if self.run else None
        return list(rules.values()) if isinstance(rules, Mapping) else []

    def raw(self, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
        """Return the rows as they are, a Skip where it can't be read; the arguments are those of `formats.rows`."""
        return formats.rows(self.name, max_row_bytes, noted) if self._rows is None else iter(self._rows)

    def presented(self, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
        """Return the rows as a check is to see them, each a Skip where it can't be read: see `formats.presented`."""
        return formats.presented(self.raw(max_row_bytes, noted))

    def __iter__(self) -> Iterator[Any]:
        return formats.all_readable(self.presented(), self.name)

    def __enter__(self) -> PairInput:
        if self.name == "-" or (self._rows is not None and iter(self._rows) is self._rows):
            self._rows = RowSpool(self.raw()).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if isinstance(self._rows, RowSpool):
            self._rows.__exit__()


def check_output(
    path: Path,
    suffixes: Sequence[str],
    source: PairInput | None = None,
    *,
    overwrite: bool | None = False,
    option: str = "",
) -> Path:
    """Return the path, if a file may be written there.

    Args:
        path: The file to write.
        suffixes: How its name may end.
        source: The pairs that it is made from: their file is never overwritten.
        overwrite: Replace a file that exists; None where the command has no such option.
        option: What comes before the path in a message, e.g. "--fix ".

    Raises InputError where it may not.
    """
    if path.suffix.lower() not in suffixes:
        fix = f"e.g. {option}{path.stem or 'pairs'}{suffixes[0]}"
        raise InputError(f"{option}{path}: the name must end in {', '.join(suffixes)}", fix=fix)
    if path.is_dir():
        raise InputError(f"{path} is a folder", fix="name another file")
    on_disk = source and source.path and source.name != "-" and not hub_id(source.name)
    files = files_of(source.name, formats.PAIRS) if source and on_disk else []
    if any(path.exists() and file.exists() and path.samefile(file) for file in files):
        raise InputError(f"{path} is the source itself, and nothing is written in place", fix="name another file")
    if path.exists() and not overwrite:
        fix = "name another file" if overwrite is None else "name another file, or add --overwrite"
        raise InputError(f"{path} exists", fix=fix)
    return path
