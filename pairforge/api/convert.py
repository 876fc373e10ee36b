"""The verb `convert`: pairs from any shape to the shape of a trainer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from .. import formats
from ..checks import schema
from ..console import table
from ..disk import atomic, write_atomic, write_errors
from ..errors import InputError
from ..formats import kto, target_formats, writers
from ..notebook import HtmlRepr
from ..options.declaration import keywords
from ..options.pairs import ConvertOptions, Pick
from ..text import did_you_mean, visible
from ..types import Skip
from .inputs import PairInput, check_output

_WRITERS: dict[str, Callable[[Iterable[Mapping[str, Any]], IO[bytes]], object]] = {
    ".jsonl": writers.write_lines,
    ".ndjson": writers.write_lines,
    ".json": writers.write_array,
    ".parquet": lambda rows, file: formats.to_dataset(rows).to_parquet(file),
    ".csv": writers.write_csv,
}
_INFO = "dataset_info.json"
_SKIPPED = {
    "bytes": "bytes in a text file",
    "context": "no question before the answers",
    "encoding": "not UTF-8",
    "joined": "read together with another row",
    "json": "not valid JSON",
    "limit": "too large",
    "not_finite": "a number that is not finite",
    "repeated_key": "a repeated key",
    "same": "both sides the same",
    "shape": "not a pair",
    "tie": "no better answer",
    "turns": "turns that the shape can't hold",
    "unpaired": "no counterpart",
}
"""Why rows are left out, by reason."""


@dataclass(repr=False)
class Conversion(HtmlRepr):
    """The outcome of a conversion.

    `shape` names what was read, `rows` counts it; `pairs` and `written` count what is in the output. `skips` counts by
    reason the rows that are not, or not wholly, in it, `first` says where the first of each is; `lost` counts, by
    column, the rows of which the target holds only the rest. `snippet` configures the trainer; `files` are those that
    were written.
    """

    output: Path
    to: str
    shape: str
    snippet: str
    files: list[Path]
    rows: int = 0
    pairs: int = 0
    written: int = 0
    skips: Counter[str] = field(default_factory=Counter)
    first: dict[str, str] = field(default_factory=dict)
    lost: Counter[str] = field(default_factory=Counter)
    columns: dict[str, None] = field(default_factory=dict)
    """The columns of the output, in order."""

    def __repr__(self) -> str:
        return f"<Conversion: {self._summary()}>"

    def _summary(self) -> str:
        """Return the counts: `6 of 8 rows written (LLaMA-Factory), 2 skipped: not a pair`."""
        skipped = sum(self.skips.values())
        used = self.rows - skipped
        made = f", as {self.written} rows" if self.written != used else ""
        reasons = ", ".join(_SKIPPED.get(reason, reason) for reason in self.skips)
        return f"{used} of {self.rows} rows written ({formats.TARGETS[self.to].reader}){made}" + (
            f", {skipped} skipped: {reasons}" if skipped else ""
        )

    @property
    def ok(self) -> bool:
        """Every row is in the output."""
        return not self.skips

    def as_json(self) -> dict[str, Any]:
        """Return the object that `pairforge convert --json` prints."""
        counts = {"rows": self.rows, "pairs": self.pairs, "written": self.written, "skips": self.skips}
        said = {"command": "convert", "ok": self.ok, "shape": self.shape, "to": self.to, "output": str(self.output)}
        said |= {"files": [str(file) for file in self.files], "counts": counts, "first": self.first}
        return said | {"lost": self.lost, "snippet": self.snippet}

    def __rich_console__(self, *_: object) -> Iterator[Any]:
        yield visible(f"{self.output}: {self._summary()}")
        if self.skips:
            lines = [(_SKIPPED.get(name, name), str(count), self.first[name]) for name, count in self.skips.items()]
            yield table("", ("skipped", "rows", "first"), lines)
        if self.lost:
            yield table("", ("left out", "rows"), [(name, str(n)) for name, n in self.lost.items()])
        yield "\n" + visible(self.snippet.rstrip())


@keywords(ConvertOptions)
def convert(options: ConvertOptions) -> Conversion:
    """Write pairs of any known shape to a file in the shape that a trainer reads.

    A column that some rows lack is null there.

    Raises InputError where the source holds no pairs, `out` exists (without `overwrite`) or is the source itself.
    """
    path = Path(options.out)
    if options.to not in formats.TARGETS:
        what = f"--to {options.to!r:.40} is not one of {', '.join(formats.TARGETS)}"
        raise InputError(what, fix=did_you_mean(options.to, formats.TARGETS) or "e.g. --to trl")
    if path.name == _INFO:
        raise InputError(f"{path} is not a name for pairs", fix="name another file")
    source = PairInput.of(options)
    check_output(path, tuple(_WRITERS), source, overwrite=options.overwrite)
    with source:
        shape, start = source.recognised()
        source.require_pairs(shape, list(islice(start, formats.LOOKED_AT)))
        done = Conversion(path, options.to, shape.name, target_formats.snippet(options.to, path), [path])
        for _ in _converted(source.raw(), shape, done, options.pick):  # all are counted before any is written
            pass
        if not done.written:
            what = f"nothing to convert to {options.to}: {next(iter(done.first.values()), 'no rows')}"
            raise InputError(what, fix=f"see what is wrong with: pairforge validate {source.word}")
        info = _dataset_info(path, done.columns, options.overwrite) if options.to == "llamafactory" else None
        again = _converted(source.raw(), shape, Conversion(path, options.to, shape.name, "", []), options.pick)
        rows = ({name: row.get(name) for name in done.columns} for row in again)
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic(path) as file:
                _WRITERS[path.suffix.lower()](rows, file)
    if info:
        done.files.append(path.parent / _INFO)
        write_atomic(path.parent / _INFO, json.dumps(info, ensure_ascii=False, indent=2) + "\n")
    return done


def _converted(rows: Iterable[Any], shape: formats.Shape, done: Conversion, pick: Pick) -> Iterator[dict[str, Any]]:
    """Yield the rows of the output; what becomes of those of the source is counted in `done`."""
    target, suffix = formats.TARGETS[done.to], done.output.suffix.lower()
    of_pair = 2 if shape.name == kto.NAME else 1  # rows that one pair is made of
    last: tuple[int, str] | None = None

    def counted() -> Iterator[Any]:
        for row in rows:
            done.rows += 1
            yield row

    for pair in formats.as_pairs(counted(), shape, done.lost, pick):
        lost = set[str]()
        made = pair if isinstance(pair, Skip) else target.rows(pair, lost)
        if not isinstance(made, Skip):
            made = next(filter(None, (writers.fault(row, suffix != ".parquet") for row in made)), made)
        if isinstance(made, Skip):
            if made is pair:
                done.skips[made.reason] += 1
            elif last != (last := (done.rows, made.reason)):  # a row of many pairs counts once
                done.skips[made.reason] += of_pair
            done.first.setdefault(
                made.reason, made.detail if made is pair else f"row {done.rows - 1}: {_why(made, pair)}"
            )
            continue
        done.pairs += 1
        done.written += len(made)
        for row in made:
            done.columns |= dict.fromkeys(row)
            if suffix == ".csv":
                lost |= {f"{name}, as it was: begins with '" for name, cell in row.items() if writers.is_formula(cell)}
            yield row
        done.lost.update(lost)


def _why(skip: Skip, pair: Mapping[str, Any] | Skip) -> str:
    """Return why a shape can't hold a pair: where something is wrong with the pair itself, as `validate` says it."""
    return next((finding.message for finding in schema.shape(0, pair)), skip.detail)


def _dataset_info(path: Path, columns: Iterable[str], overwrite: bool) -> dict[str, Any]:
    """Return LLaMA-Factory's description of its data sets with this one added; what it describes already is kept."""
    file, entry = path.parent / _INFO, target_formats.dataset_info(path, columns)
    try:
        known = json.loads(file.read_text("utf-8")) if file.exists() else {}
        if not isinstance(known, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} can't be read: {error}", fix="correct or move it") from error
    if not overwrite and known.get(path.stem, entry[path.stem]) != entry[path.stem]:
        raise InputError(f"{file} describes another {path.stem!r}", fix="name another file, or add --overwrite")
    return known | entry
