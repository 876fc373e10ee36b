"""The verb `convert`: pairs from any shape to the shape of a trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
from .inputs import PairData, PairInput, check_output

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

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
    data: PairData,
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
    if to not in formats.TARGETS:
        raise InputError(f"--to {to!r:.40} is none of {', '.join(formats.TARGETS)}", fix="e.g. --to trl")
    if path.name == _INFO:
        raise InputError(f"{path} is no name for pairs", fix="name another file")
    source = PairInput(data, output, quiet=quiet)
    check_output(path, _SUFFIXES, source, overwrite=overwrite)
    tally = _Tally()
    sample: dict[str, Any] = {}
    with source:
        shape, _ = formats.recognise(source.raw())
        for row in _shaped(source.raw(), shape, to, path, tally):
            sample = sample or row
        if not tally.written:
            first = next(iter(tally.first.values()), "no rows")
            raise InputError(f"nothing to convert to {to}: {first}", fix="see what is wrong with: pairforge validate")
        info = _info(path, overwrite) if to == "llamafactory" else None
        rows = _shaped(source.raw(), shape, to, path, _Tally())
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


def _shaped(rows: Iterable[Any], shape: formats.Shape, to: str, path: Path, tally: _Tally) -> Iterator[dict[str, Any]]:
    """The rows of the output; what becomes of those of the source is counted."""
    target, suffix = formats.TARGETS[to], path.suffix.lower()

    def counted() -> Iterator[Any]:
        for row in rows:
            tally.rows += 1
            yield row

    for pair in formats.as_pairs(counted(), shape, tally.lost):
        gone = set[str]()
        made = pair if isinstance(pair, Skip) else target.rows(pair, gone)
        if not isinstance(made, Skip):
            faults = (_check(row, suffix != ".parquet") for row in made)
            made = next(filter(None, faults), made)
        if isinstance(made, Skip):
            tally.skip(made, "" if made is pair else f"row {tally.rows - 1}: ")
            continue
        tally.pairs += 1
        tally.written += len(made)
        for row in made:
            tally.columns |= dict.fromkeys(row)
            if suffix == ".csv":
                gone |= {f"{name}, as it was: begins with '" for name, cell in row.items() if writers.is_formula(cell)}
            yield row
        tally.lost.update(gone)


def _check(row: Mapping[str, Any], is_text: bool) -> Skip | None:
    """Why the row can't be in the file: a number that JSON lacks, half a surrogate pair, bytes in a text file."""
    try:
        writers.encoded(row)
    except UnicodeEncodeError:
        return Skip("encoding", "half of a surrogate pair, which no UTF-8 file can hold")
    except ValueError:
        return Skip("not_finite", "a number that is NaN or infinite, which JSON can't hold")
    except TypeError:
        return Skip("bytes", "bytes, which only .parquet can hold") if is_text else None
    return None


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
