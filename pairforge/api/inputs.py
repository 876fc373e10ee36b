"""The pairs that a user names: the latest run, a run, a file, a folder, a data set on the Hub, stdin, or rows."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

from .. import formats
from ..console import note
from ..errors import InputError
from ..options.common import PairColumns, PairData
from ..options.pairs import DataArgument
from ..prompts import is_prompt
from ..readers import NoFilesError, files_of, hub_id, is_given, rows_given
from ..readers.spool import RowSpool
from ..run import LATEST, Run, latest, out_dir, run_names
from ..text import did_you_mean, one_line
from ..types import Skip

DEFAULT_RUN = 'pairforge correct --from Qwen --to "Deep Qwen"'
"""The command that makes the run which `push` and the trainer begin with where there is none."""

_URL = re.compile(r"(?:https?://huggingface\.co/datasets/([\w.-]+/[\w.-]+)/?$|\w+://)")


def latest_run(output: str | None = None, *, quiet: bool = False) -> Path:
    """Return the folder of the run that was made last, of those that have pairs.

    Args:
        output: The folder that holds the runs.
        quiet: Do not say on stderr which run is used.

    Raises InputError where there is none.
    """
    if run := latest(out_dir(output)):
        newest = latest(out_dir(output), empty=True)
        if not quiet and newest and newest.path != run.path:
            note(f"using the latest run with pairs: {run.path} ({newest.path.name} was made later and has 0 pairs)")
        elif not quiet:
            note(f"using the latest run: {run.path}")
        return run.path
    raise _no_run(output)


def find_run(name: str | PathLike[str], output: str | None = None) -> Path | None:
    """Return the folder of a run, finished or not, that a user names; None where no run is called so.

    A run is named by its folder, by a file `pairs.jsonl` in it, by the name of its folder under `output`, by the name
    that the user gave it (`--name`), or as `latest` or `latest~1`, the one before it. Raises InputError for `latest`
    where there are not so many runs.
    """
    if found := LATEST.fullmatch(str(name)):
        if run := latest(out_dir(output), back=int(found[1] or 0)):
            return run.path
        raise _no_run(output) if not found[1] else InputError(f"no run {name}", fix="see: pairforge runs list")
    path, out = Path(name), out_dir(output)
    folder = path.parent if path.name == "pairs.jsonl" else path
    with suppress(OSError, ValueError):  # a text that can't be a path, and another user's folder
        if os.path.exists(folder / "run.json") or Run.at(folder):
            return folder
        if len(path.parts) == 1 and not path.is_absolute() and Run.is_folder(out / path):
            return out / path
    return Run.named(out, str(name))


def like_a_run(name: str | PathLike[str], output: str | None = None) -> str:
    """Return the hint "did you mean 'x'?" for the name of a run that is misspelt; empty where no run is called so."""
    return did_you_mean(str(name), run_names(out_dir(output)))


def run_folder(name: str | PathLike[str], output: str | None = None) -> Path:
    """Return the folder of a run that a user names: see `find_run`. Raises InputError where no run is called so."""
    if path := find_run(name, output):
        return path
    raise InputError(f"no run {name}", fix=like_a_run(name, output) or "see: pairforge runs list")


def _no_run(output: str | None) -> InputError:
    if empty := latest(out_dir(output), empty=True):
        what = f"no run under {out_dir(output)} has pairs: {empty.path.name}, the latest, has 0"
        return InputError(what, fix=f"see: pairforge runs show {empty.path.name}")
    fix = f"go to the folder that holds the runs, name it with -o DIR, or make one: {DEFAULT_RUN}"
    return InputError(f"no run under {out_dir(output)}", fix=fix)


def pairs_file(data: str | PathLike[str] | None = None, output: str | None = None, quiet: bool = False) -> Path:
    """Return the path to read pairs from.

    For a run (named as in `find_run`), and for the latest run where nothing is named, that is its `pairs.jsonl`. A
    file, a folder of files, a Hub id and `-` are returned as they are. Raises InputError where there is no run, for
    one that stopped before it had pairs, for what is only nearly the name of a run, for a folder that holds runs and no
    pairs of its own, and for an empty name, which an unset variable of a script leaves: the latest run may be another
    one.
    """
    if data is not None and not str(data).strip():
        raise InputError("the name of the pairs is empty", fix="name a run or a file; for the latest run, name nothing")
    run = find_run(data, output) if data else latest_run(output, quiet=quiet)
    path = Path(str(data))
    if run is None and os.path.exists(path / "pairs.jsonl"):
        run = path
    if run is None:
        if len(path.parts) == 1 and not os.path.lexists(path) and (hint := like_a_run(path, output)):
            raise InputError(f"{data} is neither a run nor a file", fix=hint)
        if url := _URL.match(str(data)):
            fix = f"give its id: {url[1]}" if url[1] else "download the file, and give its path"
            raise InputError(f"{data} is a URL", fix=fix)
        if os.path.isdir(path) and (inner := latest(path)):
            try:
                files_of(path, formats.PAIRS)
            except NoFilesError as error:
                error.fix = f"it holds runs: give {inner.path}, the latest"
                raise
        return path
    if Run.is_closed(run):
        raise InputError(f"{run} can't be read: it belongs to another user", fix="ask them, or name another run")
    if not (run / "pairs.jsonl").exists():
        begun = Run.at(run)
        fix = (begun and begun.resume) or "run the command that made it again"
        raise InputError(f"{run} stopped before it had pairs", fix=fix)
    return run / "pairs.jsonl"


def read_pairs(
    data: str | PathLike[str] | None = None, output: str | None = None, columns: PairColumns = ()
) -> list[Mapping[str, Any]]:
    """Return the pairs of a file or run folder, by default of the latest run.

    `columns` names columns of the pair that have other names than usual: `{"prompt": "my_question"}`.

    Raises InputError where a row can't be read, and where there is no run.
    """
    return list(formats.read_rows(pairs_file(data, output), formats.by_hand(columns)))


class PairInput:
    """The pairs that a user named or gave.

    Iterating gives the rows as pairs where they are of any known shape, and raises InputError at the first that can't
    be read. As a context manager it makes rows that can be read only once (an iterator, stdin) readable again.
    """

    path: Path | None
    """The path that the pairs are read from; None for rows."""

    def __init__(
        self, data: PairData, output: str | None = None, *, quiet: bool = False, columns: PairColumns = ()
    ) -> None:
        self._rows: Iterable[Any] | None = None
        self.columns = formats.by_hand(columns)
        if isinstance(run := getattr(data, "run", None), Run):  # what `correct` or `onpolicy` returned
            self.path = run.pairs
        elif is_given(data):
            self.path, self._rows = None, rows_given(data, "pairs")
        else:
            self.path = pairs_file(data, output, quiet)  # type: ignore[arg-type]

    @classmethod
    def of(cls, options: DataArgument) -> PairInput:
        """Return the pairs that the options of a command name."""
        return cls(options.data, options.output, quiet=options.quiet, columns=options.columns)

    @property
    def word(self) -> str:
        """The path as a word of a command line, to suggest one; PAIRS for rows."""
        return shlex.quote(self.name or "PAIRS")

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
        """The names that are meant to differ: the new ones of the correction run that the pairs belong to, if any."""
        settings = self.run.settings if self.run else {}
        rules, fill, persona = (settings.get(name) for name in ("rules", "fill", "persona"))
        named = [value for found in (rules, fill) if isinstance(found, Mapping) for value in found.values()]
        told = [persona.get("names"), persona.get("makers")] if isinstance(persona, Mapping) else []
        named += chain.from_iterable(one for one in told if isinstance(one, list | tuple))
        return list(dict.fromkeys(one for one in named if isinstance(one, str)))  # the run may be a stranger's

    def raw(self, max_row_bytes: int | None = None, noted: set[str] | None = None) -> Iterator[Any]:
        """Return the rows as they are, a Skip where it can't be read; the arguments are those of `formats.rows`."""
        return formats.rows(self.name, max_row_bytes, noted) if self._rows is None else iter(self._rows)

    def recognised(
        self, max_row_bytes: int | None = None, noted: set[str] | None = None
    ) -> tuple[formats.Shape, Iterator[Any]]:
        """Return the shape of the rows, and all of them as they are: see `raw`."""
        return formats.recognise(self.raw(max_row_bytes, noted), self.columns)

    def pairs(self) -> Iterator[Any]:
        """Return the pairs in the rows: see `formats.pairs_of`. Raises InputError for rows that are not pairs."""
        shape, rows = self.recognised()
        start = list(islice(rows, formats.LOOKED_AT))
        self.require_pairs(shape, start)
        return formats.pairs_of(chain(start, rows), self.columns)

    def require_pairs(self, shape: formats.Shape, start: Sequence[Any]) -> None:
        """Raise InputError where the first rows are not pairs of any shape: it says what they are."""
        if shape.known or not start:
            return
        if (
            isinstance(start[0], Mapping)
            and {"chosen", "rejected"} <= start[0].keys()
            and shape.what.startswith("the ")
        ):
            return  # what is wrong with the sides is said row by row
        if isinstance(start[0], Skip):
            raise InputError(start[0].detail, fix=f"see what is wrong with: pairforge validate {self.word}")
        error = formats.refusal(shape, start)
        if is_prompt(start[0]) and "--columns" not in str(error.fix):
            if shape.what.startswith("the columns"):
                found = one_line(", ".join(map(str, start[0])))
                error.message = f"these are prompts, not pairs: row 0 has no chosen and no rejected ({found})"
            error.fix = f"make pairs of them: pairforge onpolicy -p {self.word}, or pairforge correct"
        raise InputError(f"{self.name}: {error.message}".removeprefix(": "), fix=error.fix)

    def __iter__(self) -> Iterator[Any]:
        return formats.all_readable(self.pairs(), self.name)

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
    if path.is_dir():
        raise InputError(
            f"{option}{path} is a folder", fix=f"name a file in it: {option}{path / ('pairs' + suffixes[0])}"
        )
    if path.suffix.lower() not in suffixes:
        fix = f"e.g. {option}{path.with_suffix(suffixes[0])}" if path.name else f"e.g. {option}pairs{suffixes[0]}"
        raise InputError(f"{option}{path}: the name must end in {', '.join(suffixes)}", fix=fix)
    on_disk = source and source.path and source.name != "-" and not hub_id(source.name)
    files = files_of(source.name, formats.PAIRS) if source and on_disk else []
    if source and on_disk and len(files) > 1 and path.resolve().parent in {file.resolve().parent for file in files}:
        what = f"{path} is in the folder that is read: its rows would be read twice the next time"
        raise InputError(what, fix="name a file in another folder")
    if any(path.exists() and file.exists() and path.samefile(file) for file in files):
        raise InputError(f"{path} is the source itself, and nothing is written in place", fix="name another file")
    if os.path.lexists(path) and not overwrite:
        fix = "name another file" if overwrite is None else "name another file, or add --overwrite"
        raise InputError(f"{path} exists", fix=fix)
    return path
