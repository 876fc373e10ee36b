"""Shards: the unit of work of a run on several processes or machines.

A shard holds about 2,048 prompts. What a worker makes of it, answers and scores, becomes one immutable Parquet file,
committed by an exclusive create: the first one stands, and everybody reads that one. So a shard may be run twice, by a
worker that was thought dead or by two drivers, and the run is the same. Pairs are made from committed files alone.
"""

from __future__ import annotations

import os
import pickle
import socket
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias
from uuid import uuid4

from .disk import json_object
from .errors import OutsideError
from .run import without_refused
from .storage import Storage, open_storage
from .thoughts import answer_of, written
from .types import Answer, AnswerGroup, Judge, Key, Prompt, Skip, digest

if TYPE_CHECKING:
    import pyarrow

_COLUMNS = ("prompt", "idx", "text", "finish", "tokens", "reason", "detail")
_INTEGERS = ("idx", "tokens")


@dataclass(frozen=True)
class Shard:
    """Some prompts of a run, which one worker asks. Its name is a hash of them: the same prompts, the same shard."""

    number: int
    prompts: Sequence[Prompt]

    @cached_property
    def name(self) -> str:
        return digest([prompt.id for prompt in self.prompts])

    @cached_property
    def name_with_columns(self) -> str:
        """A hash of the prompts with their columns, of which scores depend, too."""
        return digest([AnswerGroup(prompt, ()).key for prompt in self.prompts])


def cut(prompts: Iterable[Prompt | Skip], size: int) -> Iterator[Shard]:
    """Yield the shards of a run, of so many prompts on average; what can't be asked and what repeats is left out.

    A shard ends at a prompt whose id is 0 modulo half the size, but has at least half and at most twice the size. So
    prompts that are put in or appended move one boundary only, as in rsync, and the other shards are found as they are.
    """
    number, kept, seen, half = 0, list[Prompt](), set[bytes](), max(size // 2, 1)
    for prompt in prompts:
        if isinstance(prompt, Skip) or (name := bytes.fromhex(prompt.id)) in seen:
            continue
        seen.add(name)
        kept.append(prompt)
        if len(kept) >= 2 * size or (len(kept) >= half and int.from_bytes(name, "big") % half == 0):
            yield Shard(number, kept)
            number, kept = number + 1, []
    if kept:
        yield Shard(number, kept)


class ShardReport(NamedTuple):
    """What became of a shard: new answers, their tokens, failures, and whether another try may do more.

    `error` is what went wrong with the worker itself, in words, and how to correct it. `sent_as` is what the worker's
    server refused of its parameters.
    """

    number: int
    answers: int = 0
    tokens: int = 0
    failures: int = 0
    unfinished: bool = False
    error: tuple[str, str] | None = None
    sent_as: Mapping[str, str | None] = {}


OpenWork: TypeAlias = Callable[[], Callable[[Shard], ShardReport]]
"""Opens a worker, which then does one shard after the other. It can be pickled, and sent to another machine."""


_opened: dict[bytes, Callable[[Shard], ShardReport]] = {}


def run_shard(open_work: OpenWork, shard: Shard) -> ShardReport:
    """Run a shard by the worker of this process, which is opened once: for executors that send functions."""
    key = pickle.dumps(open_work)
    if key not in _opened:
        _opened[key] = open_work()
    return _opened[key](shard)


class Executor(Protocol):
    """Runs a worker on shards: each at least once, in any order, on whatever there is."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Yield what the workers report, as it comes. `shards` may be iterated again: they are not kept in memory."""


Results: TypeAlias = Mapping[Key, "Answer | Skip"]


def encoded(results: Results) -> bytes:
    """Return answers, and why there is none, as a Parquet file."""
    import pyarrow
    from pyarrow import parquet

    rows = [
        (*key, "", "", 0, one.reason, one.detail)
        if isinstance(one, Skip)
        else (*key, written(one), one.finish, one.tokens, "", "")
        for key, one in sorted(results.items())
    ]
    columns = zip(_COLUMNS, [*zip(*rows, strict=True)] or [()] * len(_COLUMNS), strict=True)
    arrays = [(_integers if name in _INTEGERS else _texts)(values) for name, values in columns]
    file = pyarrow.BufferOutputStream()
    table = pyarrow.Table.from_arrays(arrays, names=list(_COLUMNS))
    parquet.write_table(table, file, compression="zstd", write_statistics=False)
    return bytes(file.getvalue())


# From buffers, since `pyarrow.array` would import pandas, which takes a second.
def _texts(values: Sequence[str]) -> pyarrow.Array:
    import pyarrow

    parts = [text.encode() for text in values]
    ends = array("q", accumulate(map(len, parts), initial=0))
    return pyarrow.LargeStringArray.from_buffers(
        len(parts), pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(parts))
    )


def _integers(values: Sequence[int]) -> pyarrow.Array:
    import pyarrow

    return pyarrow.Array.from_buffers(pyarrow.int64(), len(values), [None, pyarrow.py_buffer(array("q", values))])


def decoded(data: bytes, where: str) -> dict[Key, Answer | Skip]:
    """Return what `encoded` wrote. Raises OutsideError that names the file where it is something else."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(pyarrow.BufferReader(data)).read()
        columns = [table.column(name).to_pylist() for name in _COLUMNS]
    except (pyarrow.ArrowException, KeyError) as error:
        raise OutsideError(
            f"{where} is not a shard: {error}", fix="remove it, and run the same command again"
        ) from error
    return {
        (prompt, index): Skip(reason, detail) if reason else answer_of(text, finish, tokens)
        for prompt, index, text, finish, tokens, reason, detail in zip(*columns, strict=True)
    }


@dataclass(frozen=True)
class ShardFiles:
    """The files of one setting: `<settings>/<shard>.<n>.<kind>`, and the parts of shards that are not finished.

    A part says when and by whom it was made: `<shard>.part-<seconds>-<host>-<process>-<number>.<kind>`.
    """

    storage: Storage
    settings: Mapping[str, Any]
    kind: str = "parquet"

    @cached_property
    def folder(self) -> str:
        return digest(self.settings)

    def name(self, shard: Shard) -> str:
        """Return by what the files of a shard are called."""
        return shard.name

    def final(self, shard: Shard, n: int) -> str:
        """Return the name of the file of a shard that has all it can have."""
        return f"{self.folder}/{self.name(shard)}.{n}.{self.kind}"

    def read(self, names: Iterable[str]) -> dict[Key, Answer | Skip]:
        """Return the answers in files; of those to the same prompt with the same number, the first one."""
        found: dict[Key, Answer | Skip] = {}
        for name, data in self.contents(names):
            for key, one in decoded(data, name).items():
                if isinstance(found.get(key, Skip("")), Skip):
                    found[key] = one
        return found

    def contents(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield each file with its content, in order, but for parts that are gone, since their shard is whole now."""
        for name in sorted(names):
            try:
                yield name, self.storage.get(name)
            except OutsideError:
                if ".part-" not in name or name in self.storage.list(self.folder):
                    raise

    def by_shard(self) -> dict[str, list[str]]:
        """Return the files that have something of a shard, by its name."""
        found: dict[str, list[str]] = {}
        for name in self.storage.list(self.folder):
            found.setdefault(name.rpartition("/")[2].partition(".")[0], []).append(name)
        return found

    def of(self, shard: Shard, listed: Iterable[str] | None = None) -> list[str]:
        """Return the files that have something of one shard, of those in the folder or of what was `listed` there."""
        begin = f"{self.folder}/{self.name(shard)}."
        names = self.storage.list(self.folder) if listed is None else listed
        return [name for name in names if name.startswith(begin)]

    def put_part(self, shard: Shard, data: bytes) -> str:
        """Keep what is there of a shard that is not finished, and return the name of the file."""
        maker = f"{time.time():.0f}-{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        name = f"{self.folder}/{self.name(shard)}.part-{maker}.{self.kind}"
        self.storage.put_new(name, data)
        return name

    def commit(self, shard: Shard, n: int, data: bytes, known: Iterable[str]) -> None:
        """Commit a finished shard, unless somebody else did, and remove the parts among the files that are known.

        Another worker removes its own when it comes to its end; those of one that was killed are removed in the end.
        """
        self.storage.put_new(self.final(shard, n), data)
        self.remove_parts(known)

    def remove_parts(self, names: Iterable[str]) -> None:
        """Remove the parts of a shard that is committed, of these files of it."""
        for name in names:
            if ".part-" in name:
                self.storage.remove(name)


def maker_of(part: str) -> tuple[str, int]:
    """Return who made a part, as `host-process`, and when, in seconds since 1970."""
    seconds, _, rest = part.partition(".part-")[2].partition("-")
    return rest.rpartition("-")[0], int(seconds)


class ShardState(NamedTuple):
    """How far the shards of a run are: how many there are, how many are whole, and who has parts of the others.

    `begun` names a worker, as `host-process`, and says when it put something aside, in seconds since 1970.
    """

    shards: int
    done: int
    begun: Sequence[tuple[str, int]]

    @classmethod
    def read(cls, file: Path) -> ShardState | None:
        """Return the state of the shards that a file names; None where it is not there."""
        if not (named := json_object(file)):
            return None
        storage, shards = open_storage(named["storage"]), named["shards"]
        there = {
            name for one in {name.partition("/")[0] for names in shards for name in names} for name in storage.list(one)
        }
        open_ = {name.partition(".")[0] for names in shards for name in names if name not in there}
        begun = [maker_of(name) for name in there if ".part-" in name and name.partition(".")[0] in open_]
        done = sum(there.issuperset(names) for names in shards)
        return cls(len(shards), done, sorted(begun, key=lambda one: one[1]))


@dataclass(frozen=True)
class ScoreFiles(ShardFiles):
    """The scores of the answers in shards: evidence stores of their own, packed."""

    kind: str = "db.gz"

    @classmethod
    def by(cls, judges: Iterable[Judge], answers: ShardFiles) -> ScoreFiles:
        """Return the files of what judges say of answers."""
        settings = {"answers": answers.settings, "judges": [judge.settings() for judge in judges]}
        return cls(answers.storage, without_refused(settings))

    def name(self, shard: Shard) -> str:
        return shard.name_with_columns
