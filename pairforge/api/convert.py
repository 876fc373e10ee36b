"""The verb `convert`: pairs from any shape to the shape of a trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import formats
from ..console import outcome, table
from ..disk import atomic, write_atomic, write_errors
from ..errors import InputError
from ..formats import target_formats, writers
from ..text import visible
from ..types import Skip
from .runs import pairs_file

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Rows = Callable[[], Iterable[Any]]
"""The rows of the source, from the start each time."""
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".csv")
_INFO = "dataset_info.json"


@dataclass
class _Tally:
    """What became of the rows, and the columns that there are."""

    rows: int = 0
    pairs: int = 0
    written: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    columns: dict[str, None] = field(default_factory=dict)

    def skip(self, skip: Skip, where: str) -> None:
        self.skips[skip.reason] += 1
        self.first.setdefault(skip.reason, where + skip.detail)


@dataclass(frozen=True)
class Converted:
    """What became of a conversion.

    `shape` names what was read, `rows` counts it; `skips` counts by reason the rows that are not in the output, `first`
    says where the first of each is; `lost` counts, by column, the rows of which the target holds only the rest.
    `snippet` is what the trainer must be told; `files` are those that were written.
    """

    output: Path
    to: str
    shape: str
    rows: int
    pairs: int
    written: int
    skips: Mapping[str, int]
    first: Mapping[str, str]
    lost: Mapping[str, int]
    snippet: str
    files: tuple[Path, ...]

    @property
    def ok(self) -> bool:
        """Every row is in the output."""
        return not self.skips

    def as_json(self) -> dict[str, Any]:
        """The object that `pairforge convert --json` prints."""
        return {
            "command": "convert",
            "ok": self.ok,
            "shape": self.shape,
            "to": self.to,
            "output": str(self.output),
            "files": [str(file) for file in self.files],
            "counts": {"rows": self.rows, "pairs": self.pairs, "written": self.written, "skips": dict(self.skips)},
            "first": dict(self.first),
            "lost": dict(self.lost),
            "snippet": self.snippet,
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        counts = outcome({"pairs": self.pairs, "skips": self.skips})
        yield visible(f"{self.rows} rows ({self.shape}) -> {self.output} ({self.to}): {counts}, {self.written} rows")
        if self.skips:
            lines = [(name, str(count), self.first[name]) for name, count in self.skips.items()]
            yield table("", ("left out", "rows", "first"), lines)
        if self.lost:
            yield table("", ("can't be held", "rows"), [(name, str(n)) for name, n in self.lost.items()])
        yield ""
        yield "\n".join(visible(line) for line in self.snippet.splitlines())


def convert(
    data: str | PathLike[str] | Iterable[Mapping[str, Any]] | None,
    out: str | PathLike[str],
    *,
    to: str = "trl",
    overwrite: bool = False,
    output: str | None = None,
    quiet: bool = False,
) -> Converted:
    """Write pairs of any known shape to the file `out` in the shape that a trainer reads.

    `data` is a run folder, a file, a folder of files, `org/name` on the Hub, `-` for stdin, rows, or None for the
    latest run. `out` ends in .jsonl, .json, .parquet or .csv. `to` is one of `formats.TARGETS`; for llamafactory a
    `dataset_info.json` is written (or added to) beside the file. A column that some rows lack is null there.

    Raises InputError where the source holds no pairs, `out` exists (but with `overwrite`) or is the source itself.
    """
    path = Path(out)
    _check(path, to, overwrite)
    source = _source(data, path, output, quiet)
    shape, _ = formats.recognise(source())
    tally = _Tally()
    sample: dict[str, Any] = {}
    for row in _shaped(source(), shape, to, path, tally):
        sample = sample or row
    if not tally.written:
        first = next(iter(tally.first.values()), "no rows")
        raise InputError(f"nothing to convert to {to}: {first}", fix="see what is wrong with: pairforge validate")
    info = _info(path, overwrite) if to == "llamafactory" else None
    rows = _shaped(source(), shape, to, path, _Tally())
    _write(({name: row.get(name) for name in tally.columns} for row in rows), path, list(tally.columns), sample)
    if info:
        write_atomic(path.parent / _INFO, json.dumps(info, ensure_ascii=False, indent=2) + "\n")
    return Converted(
        output=path,
        to=to,
        shape=shape.name,
        rows=tally.rows,
        pairs=tally.pairs,
        written=tally.written,
        skips=dict(tally.skips),
        first=tally.first,
        lost=dict(tally.lost),
        snippet=target_formats.snippet(to, path),
        files=(path, *([path.parent / _INFO] if info else [])),
    )


def _check(path: Path, to: str, overwrite: bool) -> None:
    if to not in formats.TARGETS:
        raise InputError(f"--to {to!r:.40} is none of {', '.join(formats.TARGETS)}", fix="e.g. --to trl")
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(
            f"{path}: the name must end in {', '.join(_SUFFIXES)}", fix=f"e.g. {path.stem or 'pairs'}.jsonl"
        )
    if path.is_dir() or path.name == _INFO:
        raise InputError(f"{path} is {'a folder' if path.is_dir() else 'no name for pairs'}", fix="name another file")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists", fix="name another file, or add --overwrite")


def _source(data: Any, path: Path, output: str | None, quiet: bool) -> Rows:
    if data is None:
        data = pairs_file(None, output, quiet)
    if isinstance(data, (str, PathLike)) and str(data) != "-":
        place = str(data)
        files = [] if formats.hub_id(place) else formats.files_of(place)
        if any(path.exists() and file.exists() and path.samefile(file) for file in files):
            raise InputError(f"{path} is the source itself, and nothing is converted in place", fix="name another file")
        return lambda: formats.rows(place)
    rows = list(formats.rows("-") if isinstance(data, (str, PathLike)) else data)
    return lambda: iter(rows)


def _shaped(rows: Iterable[Any], shape: formats.Shape, to: str, path: Path, tally: _Tally) -> Iterator[dict[str, Any]]:
    """The rows of the output; what becomes of those of the source is counted."""
    target, check = formats.TARGETS[to], _checker(path)
    for pair in formats.as_pairs(_counted(rows, tally), shape, tally.lost):
        gone = set[str]()
        made = pair if isinstance(pair, Skip) else target.rows(pair, gone)
        if not isinstance(made, Skip):
            made = next(filter(None, map(check, made)), made)
        if isinstance(made, Skip):
            tally.skip(made, "" if made is pair else f"row {tally.rows - 1}: ")
            continue
        tally.pairs += 1
        tally.written += len(made)
        for row in made:
            tally.columns |= dict.fromkeys(row)
            if path.suffix.lower() == ".csv":
                gone |= {f"{name}, as it was: begins with '" for name, cell in row.items() if writers.is_formula(cell)}
            yield row
        tally.lost.update(gone)


def _counted(rows: Iterable[Any], tally: _Tally) -> Iterator[Any]:
    for row in rows:
        tally.rows += 1
        yield row


def _checker(path: Path) -> Callable[[Mapping[str, Any]], Skip | None]:
    """Finds what no file can hold: numbers that are none, half a surrogate pair; in a text file, bytes."""

    def check(row: Mapping[str, Any]) -> Skip | None:
        try:
            writers.encoded(row)
        except UnicodeEncodeError:
            return Skip("encoding", "half of a surrogate pair, which no UTF-8 file can hold")
        except ValueError:
            return Skip("not_finite", "a number that is NaN or infinite, which JSON can't hold")
        except TypeError:
            return None if path.suffix.lower() == ".parquet" else Skip("bytes", "bytes, which only .parquet can hold")
        return None

    return check


def _write(rows: Iterable[Mapping[str, Any]], path: Path, columns: list[str], sample: Mapping[str, Any]) -> None:
    suffix = path.suffix.lower()
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".parquet":
            other = [name for name in ("chosen", "rejected") if not isinstance(sample.get(name), list)]
            formats.write_parquet(rows, path, other=other)
            return
        with atomic(path) as file:
            if suffix == ".csv":
                writers.write_csv(rows, file, columns)
            elif suffix == ".json":
                writers.write_array(rows, file)
            else:
                writers.write_lines(rows, file)


def _info(path: Path, overwrite: bool) -> dict[str, Any]:
    """LLaMA-Factory's description of its data sets, with this one in it; what stands there is kept."""
    place, entry = path.parent / _INFO, target_formats.dataset_info(path)
    if not place.exists():
        return entry
    try:
        known = json.loads(place.read_text("utf-8"))
        if not isinstance(known, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{place} can't be read: {error}", fix="mend or move it") from error
    if not overwrite and known.get(path.stem, entry[path.stem]) != entry[path.stem]:
        raise InputError(f"{place} describes another {path.stem!r}", fix="name another file, or add --overwrite")
    return known | entry
