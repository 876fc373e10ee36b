"""`pairforge.json` of a published data set: what each of its configs holds, and how that was made.

The card and `croissant.json` follow from it, and a later push, `pull` and `reproduce` read it. It has no time stamp, no
local path and no address of a server: the same pairs give the same text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, TypeAlias

from ..errors import InputError
from ..resources import installed_versions, resource
from ..text import one_line, outside_json

FILE = "pairforge.json"
REPORT = "report.html"
VERSION = 1

ConfigKind: TypeAlias = Literal["pairs", "candidates", "llamafactory"]


@dataclass(frozen=True)
class DataFile:
    """A Parquet file: its path in the repository, its rows, its size in bytes and its SHA-256 in hex."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class DataSplit:
    """The files of a split, in order, and how many rows they have together."""

    rows: int
    files: tuple[DataFile, ...]


@dataclass(frozen=True)
class DataConfig:
    """A config of a data set: its rows, and how they were made.

    What is not known is None or empty. `digest` is the SHA-256 of the canonical rows, which depends neither on the
    order of keys nor on the version of pyarrow. `features` is the list under that name in a card's `dataset_info`.
    An example is a list of turns (role and text, shortened), with `chosen` and `rejected` as the last two roles.
    `allowed` are the codes of findings that were allowed, each with the reason. `evidence` is where the candidates are:
    the name of a config, or the address of a bucket. `report` is the id that git gives to the report beside the files.
    """

    kind: ConfigKind
    rows: int
    digest: str
    splits: Mapping[str, DataSplit]
    features: tuple[Mapping[str, Any], ...] = ()
    run: str | None = None
    command: str | None = None
    argv: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    models: tuple[Mapping[str, Any], ...] = ()
    judges: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    licenses: Mapping[str, str | None] = field(default_factory=dict)
    statistics: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    allowed: Mapping[str, str] = field(default_factory=dict)
    shortcuts: Mapping[str, Any] | None = None
    evidence: str | None = None
    report: str | None = None
    examples: tuple[tuple[tuple[str, str], ...], ...] = ()

    @property
    def files(self) -> Iterator[DataFile]:
        """The files of all splits."""
        for split in self.splits.values():
            yield from split.files

    @property
    def report_path(self) -> str:
        """Where the report is in the repository; empty where there is none."""
        first = next(iter(self.files), None) if self.report else None
        return f"{first.path.partition('/')[0]}/{REPORT}" if first else ""

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file by its path, as the Hub lists it: SHA-256, and of the report the id of git."""
        found = {file.path: file.sha256 for file in self.files}
        return found | ({self.report_path: self.report} if self.report and self.report_path else {})


@dataclass(frozen=True)
class Manifest:
    """The content of `pairforge.json`; `default` is the config that `load_dataset` reads where none is named."""

    configs: Mapping[str, DataConfig]
    default: str

    @classmethod
    def read(cls, text: str, where: str) -> Manifest:
        """Read a manifest that anybody may have written. Raises InputError that begins with `where` if it is wrong."""
        try:
            value = outside_json(text)
            wrong = next(_validator().iter_errors(value), None)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: {FILE} is not JSON: {one_line(error, 200)}", fix=_FIX) from error
        if isinstance(value, dict) and type(value.get("version")) is int and value["version"] > VERSION:
            raise InputError(f"{where}: {FILE} was written by a newer pairforge", fix="update pairforge")
        if wrong is not None:
            what = f"{where}: {FILE} is not a manifest: {wrong.json_path[:80]}: {one_line(wrong.message, 200)}"
            raise InputError(what, fix=_FIX)
        if value["default"] not in value["configs"]:
            raise InputError(f"{where}: {FILE} has no config {value['default']}, its default", fix=_FIX)
        return cls({name: _config(config) for name, config in value["configs"].items()}, value["default"])

    def as_read(self) -> Manifest:
        """Return the manifest as it is when it was written and read: whatever is made of it then is the same."""
        return Manifest.read(self.text(), "built")

    def text(self) -> str:
        """Return the content of the file."""
        configs = {
            name: {key: value for key, value in asdict(config).items() if value not in (None, (), {})}
            for name, config in self.configs.items()
        }
        value = {**installed_versions("pairforge"), "version": VERSION, "default": self.default, "configs": configs}
        return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n"

    @property
    def files(self) -> Iterator[DataFile]:
        """The data files of all configs."""
        for config in self.configs.values():
            yield from config.files

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file of all configs: see `DataConfig.digests`."""
        return {path: digest for config in self.configs.values() for path, digest in config.digests.items()}


class RowsDigest:
    """The digest of rows: of their canonical JSON, nulls left out, a line each, in order; of several splits, of theirs.

    It depends neither on the order of keys, nor on how the rows are cut into files, nor on the version of pyarrow. Rows
    are those of the table: `load_dataset` and the files give the same.
    """

    def __init__(self) -> None:
        self._splits: dict[str, Any] = {}

    def add(self, row: Mapping[str, Any], split: str = "train") -> None:
        """Take in the next row of a split."""
        self.add_line(canonical(row), split)

    def add_line(self, line: bytes, split: str = "train") -> None:
        """Take in the next row of a split, as `canonical` returns it."""
        if split not in self._splits:
            self._splits[split] = hashlib.sha256()
        self._splits[split].update(line + b"\n")

    def hexdigest(self) -> str:
        """Return the digest of all rows so far."""
        found = [self._splits[name].hexdigest() for name in sorted(self._splits)] or [hashlib.sha256().hexdigest()]
        return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()


def canonical(row: Mapping[str, Any]) -> bytes:
    """Return a row of a table as JSON with sorted keys, without spaces, and without what is null."""
    text = _ENCODER.encode(row)
    if ":null" in text:
        text = _ENCODER.encode(_present(row))
    return text.encode("utf-8", "surrogatepass")


_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def _present(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _present(item) for key, item in value.items() if item is not None}
    return [*map(_present, value)] if isinstance(value, list) else value


_FIX = "it is no data set that pairforge published, or it was edited since: see its page"


def _config(value: Mapping[str, Any]) -> DataConfig:
    known = {name: _frozen(value[name]) for name in DataConfig.__dataclass_fields__ if name in value}
    splits = {
        name: DataSplit(split["rows"], tuple(DataFile(**file) for file in split["files"]))
        for name, split in value["splits"].items()
    }
    return DataConfig(**known | {"splits": splits})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator, validators

    whole = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)  # 2.0 is none
    kind: Any = validators.extend(Draft202012Validator, type_checker=whole)  # type: ignore[no-untyped-call]
    return kind(json.loads(resource("schemas", "manifest.schema.json").read_text("utf-8")))
