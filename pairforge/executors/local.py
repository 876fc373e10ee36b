"""Shards one after the other in this process, or in an array of processes that share nothing but the storage."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import InputError
from ..shards import OpenWork, Shard, ShardReport

_ARRAYS = (("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"), ("JOB_COMPLETION_INDEX", "", ""))
"""What Slurm and an indexed job of Kubernetes set: the index of a task, the number of tasks, the first index."""


class LocalExecutor:
    """Runs all shards in this process."""

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Yield the report of each shard."""
        yield from map(open_work(), shards)


@dataclass(frozen=True)
class ArrayExecutor:
    """Runs every `count`-th shard, beginning with the `index`-th, then those that nobody has done yet.

    A task that was killed is made up for by the others. None of them makes the pairs.
    """

    index: int
    count: int

    @classmethod
    def of(cls, part: str | None, environment: Mapping[str, str] = os.environ) -> ArrayExecutor | None:
        """Return the executor of `--part 3/64`, which counts from 1, or of a task of Slurm or Kubernetes.

        None where there is neither. Raises InputError for a part that is none.
        """
        if part is not None:
            found = re.fullmatch(r"(\d+)/(\d+)", part)
            if not found or not 1 <= int(found[1]) <= int(found[2]):
                raise InputError(f"--part {part!r:.40} is not a part", fix="e.g. --part 3/64, of 1/64 to 64/64")
            return cls(int(found[1]) - 1, int(found[2]))
        for index, count, first in _ARRAYS:
            if index in environment:
                place = int(environment[index]) - int(environment.get(first, 0))
                return cls(place, int(environment.get(count, 0)) or place + 1)
        return None

    def run(self, open_work: OpenWork, shards: Iterable[Shard]) -> Iterator[ShardReport]:
        """Yield the report of each shard. One that somebody else has committed meanwhile costs nothing."""
        work, own = open_work(), self.index % self.count
        yield from (work(shard) for place, shard in enumerate(shards) if place % self.count == own)
        # Not all tasks begin the rest at the same shard.
        for other in range(1, self.count):
            theirs = (own + other) % self.count
            yield from (work(shard) for place, shard in enumerate(shards) if place % self.count == theirs)
