"""Rows of whatever a user names: a file, a folder, a split of it, a data set on the Hub, standard input.

What a file holds shows in its first bytes; only where these say nothing, in its name.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ..errors import InputError, OutsideError
from ..text import did_you_mean, escaped, one_line
from . import json_lines, tables
from .stream import BOM, PACKED, STDIN, UTF16, PlacedRow, Wanted, name_of, open_unpacked, read_rest, suffix_of
from .tables import rows_of

_JSON = (".json", ".jsonl", ".ndjson")
_WRAPPERS = (
    "data", "rows", "examples", "instances", "items", "prompts", "questions", "pairs", "preferences", "records",
    "samples", "dataset", "train",
)  # fmt: skip


class NoFilesError(InputError):
    """A folder holds no files of rows."""


def suffixes(text: bool) -> tuple[str, ...]:
    """Return how the names of files of rows end, before a `PACKED` ending."""
    return (*_JSON, *tables.SEPARATORS, *tables.KINDS, *([".txt"] if text else []))


def readable(text: bool) -> str:
    """Return the formats that are read, for a message."""
    kinds = "JSON Lines, a JSON array, CSV, TSV (each may be packed: .gz, .zst), Parquet or Arrow"
    return f"lines of text, {kinds}" if text else kinds


def read_file(path: Path, wanted: Wanted) -> Iterator[PlacedRow]:
    """Yield the rows of a file."""
    name, suffix = name_of(path), suffix_of(path)
    with open_unpacked(path) as stream:
        if kind := tables.kind_of(stream.peek(8), suffix):
            yield from tables.arrow_rows(stream, path, kind)
        else:
            yield from _unwrapped(_text(stream, name, suffix, wanted), wanted)


def _text(stream: io.BufferedReader, name: str, suffix: str, wanted: Wanted) -> Iterator[PlacedRow]:
    start = stream.peek(8)
    if start.startswith(UTF16):
        return islice(json_lines.lines(stream, name, json_lines.text_row, wanted), 1)
    if start.startswith(BOM):
        wanted.noted.add("a byte-order mark")
    start = start.removeprefix(BOM).lstrip()
    if separator := tables.separator_of(next(iter(start.splitlines()), b""), suffix, wanted.columns):
        return tables.csv_rows(stream, name, separator, wanted)
    if start.startswith(b"["):
        return json_lines.values(read_rest(stream, name), name, wanted)
    if suffix in _JSON or (start.startswith(b"{") and not start.startswith(b"{{")):  # an open placeholder
        return json_lines.lines(stream, name, json_lines.Decoder().row, wanted, wanted.text or suffix == ".json")
    if start and not wanted.text:
        raise InputError(f"{name} is not a file of {wanted.what}", fix=f"read are {readable(wanted.text)}")
    return json_lines.lines(stream, name, json_lines.text_row, wanted)


def _unwrapped(found: Iterator[PlacedRow], wanted: Wanted) -> Iterator[PlacedRow]:
    """Return the rows, or those in the list that the only row holds."""
    start = list(islice(found, 2))
    if len(start) != 1:
        return chain(start, found)
    where, row = start[0]
    if not wanted.text and (rows := _keyed(row, wanted.columns)):
        return ((f"{where}:{one_line(key, 40)}", one) for key, one in rows)
    if isinstance(row, dict) and not any(key in row for key in wanted.columns):
        lists = [value for key in _WRAPPERS if isinstance(value := row.get(key), list)]
        splits = [key for key, value in row.items() if _SPLIT.fullmatch(key) and isinstance(value, list)]
        if len(splits) > 1:  # two splits are never mixed in silence, nor is one left out
            fix = f"write each into its own file, e.g. jq -c '.{splits[0]}[]' FILE > {splits[0]}.jsonl"
            raise InputError(f"{where.rpartition(':')[0]} holds several splits: {', '.join(splits)}", fix=fix)
        if len(lists) == 1 and (wanted.text or all(isinstance(item, dict) for item in lists[0])):
            # The viewer of the Hub gives rows as {"row_idx": 0, "row": {...}}.
            items = (item["row"] if isinstance(item, dict) and {"row_idx", "row"} <= item.keys() else item
                     for item in lists[0])  # fmt: skip
            return ((f"{where}:row {i}", item) for i, item in enumerate(items))
    return iter(start)


def _keyed(document: Any, columns: Collection[str]) -> list[tuple[str, Any]]:
    """Return the rows that an object holds by row or by column, as pandas writes them; none where it holds others."""
    if not isinstance(document, dict) or len(document) < 2:
        return []
    values = list(document.values())
    if all(isinstance(value, dict) and len(value) > 1 and value.keys() == values[0].keys() for value in values):
        if not any(key in document for key in columns):
            return list(document.items())
        if {"role", "content", "from", "value"} & values[0].keys():  # messages of one row
            return []
        return [(key, {name: cells[key] for name, cells in document.items()}) for key in values[0]]
    many = len(values[0]) if isinstance(values[0], list) else 0
    if many < 2 or not all(isinstance(value, list) and len(value) == many for value in values):
        return []
    if any(isinstance(cell, dict) for value in values for cell in value):  # turns of one conversation
        return []
    return [
        (f"row {at}", dict(zip(document, cells, strict=True))) for at, cells in enumerate(zip(*values, strict=True))
    ]


_HUB = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w.-]+)?(:[^/:]+){0,2}")
_SPLIT = re.compile(r"(?:\A|[-_.])(train|test|validation|valid|val|eval|dev)(?=[-_.]|\Z)")
_NO_ROWS = frozenset(
    f"{name}.json"
    for name in ("dataset_info", "dataset_infos", "dataset_dict", "state", "run", "verdict", "config", "findings")
) | {"skips.jsonl"}


def read(source: str | Path, wanted: Wanted) -> Iterator[PlacedRow]:
    """Return the rows of a source as they are, in order. A `Path` is never a data set on the Hub.

    `-` is stdin; a folder may be a run, one of `save_to_disk`, or hold files of rows (`FOLDER:SPLIT` for one split of
    several); `org/name`, `org/name:SPLIT` or `org/name:CONFIG:SPLIT` is a data set on the Hub.

    Raises InputError where it can't be read, OutsideError where the Hub can't be reached.
    """
    if isinstance(source, str) and (hub := hub_id(source)) is not None:
        return _hub(*hub)
    return chain.from_iterable(read_file(file, wanted) for file in files_of(source, wanted))


def hub_id(source: str) -> tuple[str, str | None] | None:
    """Return the data set on the Hub (`org/name`, `org/name:CONFIG`) and the split that are named; None for others."""
    known = (*suffixes(text=True), *PACKED)
    if os.path.lexists(source) or not _HUB.fullmatch(source) or suffix_of(source) in known:
        return None
    repo, *parts = source.split(":")
    split = parts.pop() if parts else None
    return None if os.path.exists(repo) else (":".join([repo, *parts]), split)


def files_of(source: str | Path, wanted: Wanted) -> list[Path]:
    """Return the files behind a source on this disk, in order.

    Raises NoFilesError for a folder without any, InputError where it holds several splits of which none is named.
    """
    folder, _, split = str(source).rpartition(":")
    if os.path.isdir(source):
        return _folder(Path(source), None, wanted)
    if os.path.lexists(source) or str(source) == STDIN:
        return [Path(source)]
    if os.path.isdir(folder):
        return _folder(Path(folder), split, wanted)
    try:
        os.stat(source)
    except FileNotFoundError as error:
        raise missing(str(source), wanted.named) from error
    except (OSError, ValueError):  # reported when it is opened
        pass
    return [Path(source)]


def missing(source: str, named: str) -> InputError:
    """Return the error for the name of a file that is not there; `named` says what else may be given."""
    if "://" in source:
        on_hub = re.match(r"https?://huggingface\.co/datasets/([\w.-]+/[\w.-]+)", source)
        path = source.removeprefix("file://")
        fix = f"give its path: {path}" if path != source else "fetch the file, and give its path"
        fix = f"give the id of the data set: {on_hub[1]}" if on_hub else fix
        return InputError(f"{name_of(source)} is a URL, not a file", fix=escaped(fix))
    return InputError(f"{name_of(source)} does not exist", fix=near_file(source) or named)


def near_file(source: str, *, folders: bool = False) -> str:
    """Return the hint which file (or folder) beside a missing one is meant; empty where none has a name like it."""
    path = Path(source)
    with suppress(OSError, ValueError):  # the same ending makes no two names alike
        beside = [one for one in path.parent.iterdir() if one.is_dir() or not folders]
        return did_you_mean(str(path), (str(one) for one in beside if did_you_mean(path.stem, [one.stem])))
    return ""


def _folder(path: Path, split: str | None, wanted: Wanted) -> list[Path]:
    if (path / "pairs.jsonl").is_file() and split is None:
        return [path / "pairs.jsonl"]
    if any(path.glob("*.safetensors")):
        raise InputError(f"{name_of(path)} is the folder of a model, not of {wanted.what}", fix=wanted.named)
    if (path / "dataset_dict.json").is_file():
        splits = sorted(inner.name for inner in path.iterdir() if (inner / "state.json").is_file())
        return _folder(path / _chosen(name_of(path), splits, split), None, wanted)
    found = _data(path, wanted) or _data(path / "data", wanted)
    if not found:
        what = f"is a folder without files of {wanted.what}"
        raise NoFilesError(f"{name_of(path)} {what}", fix=f"read are {readable(wanted.text)}")
    by_split: dict[str, list[Path]] = {}
    for file in found:
        if named := _SPLIT.search(file.name):
            by_split.setdefault(named[1], []).append(file)
    return found if split is None and len(by_split) < 2 else by_split[_chosen(name_of(path), list(by_split), split)]


def _data(folder: Path, wanted: Wanted) -> list[Path]:
    try:
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise InputError(f"{name_of(folder)} can't be read: {error.strerror}") from error
    known = suffixes(wanted.text)
    return [file for file in inside if suffix_of(file) in known and file.name not in _NO_ROWS and file.is_file()]


def _chosen(where: str, splits: list[str], split: str | None) -> str:
    """Return the split that is named, or the only one: two splits are never mixed in silence."""
    if split in splits:
        return str(split)
    if split is None and len(splits) == 1:
        return splits[0]
    what = f"has no split {split!r:.40}" if split else "holds several splits"
    fix = f"name one: {where}:{(splits or ['SPLIT'])[0]}"
    raise InputError(f"{where} {what}: {', '.join(splits) or 'none'}", fix=fix)


def _hub(name: str, split: str | None) -> Iterator[PlacedRow]:
    """Yield the rows of a data set on the Hub; without a split those of `train`, or of the only one."""
    import datasets
    import pyarrow
    from huggingface_hub.errors import HfHubHTTPError

    try:
        repo, *config = name.split(":")
        repo, _, revision = repo.partition("@")
        splits = datasets.load_dataset(repo, *config, revision=revision or None, trust_remote_code=False)
        wanted = _chosen(name, list(splits), "train" if split is None and "train" in splits else split)
        tables = splits[wanted].with_format("arrow").iter(1024)
        batches = chain.from_iterable(table.to_batches() for table in tables)
        for number, row in enumerate(rows_of(batches)):
            yield f"{name}:{wanted}:row {number}", row
    except (datasets.exceptions.DatasetsError, pyarrow.ArrowException, ValueError, RuntimeError) as error:
        fix = "name it org/name, org/name:split or org/name:config:split"
        raise InputError(f"{name} on the Hub: {one_line(error, 300)}", fix=fix) from error
    except (*HfHubHTTPError.__bases__, OSError) as error:
        raise OutsideError(
            f"there is no file {name} here, and no such data set can be fetched from the Hub: {one_line(error, 300)}",
            fix="check the name and the network; HF_HUB_OFFLINE=1 reads what was fetched before",
        ) from error
